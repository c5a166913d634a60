"""What /docs says beyond the signatures: bodies, examples, and every status with its shape."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.errors import shaped
from app.person import MOST, PROFILE_MOST
from app.settings import Settings
from app.shapes import Shapes
from app.whole import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES

TITLE = "Sluice gateway"
SUMMARY = """OpenAI's API in front of the engines of one model.
Fields that are not described pass to the engine as they are. `x-sluice-user` names the user (else the field `user`),
`x-request-id` the request. Errors have OpenAI's shape everywhere."""


class Wrong(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | int | None


class Error(BaseModel):
    error: Wrong


STATUSES = {
    400: ("invalid_value", "a field is above its cap, of another form, or the answer was cut by the content filter"),
    401: ("invalid_api_key", "no API key, or an unknown one"),
    404: ("model_not_found", "another model than the one served, or an endpoint that the engine has not"),
    408: ("body_too_slow", "the body did not come in time"),
    409: ("no_canary", "a probe asks for the canary and there is none"),
    413: ("body_too_large", "the body is too large"),
    422: ("invalid_request", "a field is missing, or out of its range"),
    429: ("rate_limit_exceeded", "the key's limits are used up, or the gateway is full: Retry-After says when"),
    431: ("head_too_large", "the headers are too many or too long"),
    500: ("internal_error", "the gateway failed: this is not the request's fault"),
    502: ("upstream_5xx", "the engine failed, or cannot be reached"),
    503: ("shutting_down", "no engine yet, no database, or this gateway is going away: Retry-After says when"),
    504: ("timeout_ttft", "the engine did not answer in time"),
}
JSON, TEXT = "application/json", "text/plain"
KEY = (401,)
GENERATION = (400, 401, 404, 408, 409, 413, 429, 431, 502, 503, 504)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route: the statuses that it may answer with, each with an example."""
    return {status: {"model": Error, **error(status)} for status in statuses}


def error(status: int) -> dict[str, Any]:
    code, text = STATUSES[status]
    return {"description": text, "content": {JSON: {"example": shaped(status, code, text, None)}}}


# header: what it says, an example, and for a request's how long it may be
USER = ("the user's id: the same user stays on the same arm and variant", "user-17", 0)
PERSON = {
    "x-sluice-region": ("where the user is, for the rules of flags", "eu", MOST),
    "x-sluice-device": ("what the user has in hand, for the rules of flags", "phone", MOST),
    "x-sluice-profile": ("what else is known of the user, for the rules of flags", "plan=pro; staff=yes", PROFILE_MOST),
}
ID = ("the request's id, up to 128 printable characters; /feedback takes it as `query_id`", "5f0c", 0)
ASKS = {"x-sluice-user": USER, "x-request-id": ID, **PERSON}
TELLS = {
    "x-sluice-version": ("the version of what has answered", "v1.2.0"),
    "x-sluice-variant": ("the variant that the user has, or `none`", "none"),
}
TELLS_OF_GENERATION = {
    "x-request-id": ("the request's id, as it was given or made", "5f0c"),
}
TELLS_OF_ARM = {
    "x-sluice-arm": ("the arm that the request counts for: stable or canary", "stable"),
    "x-sluice-step": ("the canary's weight when the request began", "5"),
}
RESCUED = {"x-sluice-rescued": ("`1` when stable has answered in the canary's place", "1")}
OUTCOME = {"x-sluice-outcome": ("how the request counts", "rejected")}
AGAIN = (429, 503)  # statuses that say when to come back


ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Where does the river lie?"}], "max_tokens": 64, "stream": False},
    COMPLETIONS: {"prompt": "The river lies", "max_tokens": 64},
    EMBEDDINGS: {"input": "The river lies by the town."},
    RESPONSES: {"input": "Where does the river lie?", "max_output_tokens": 64, "store": False},
}
OWN_ASKED: dict[str, dict[str, Any]] = {
    "/predict": {"prompt": "The river lies", "max_new_tokens": 64},
    "/feedback": {"query_id": "5f0c", "rating": 5, "comment": "It was right.", "user": "user-17"},
}
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
SAID = {"role": "assistant", "content": "By the town."}
OUTPUT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "By the town."}]}
ANSWERED: dict[str, dict[str, Any]] = {
    CHAT: {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": SAID, "finish_reason": "stop"}],
        "usage": USAGE,
    },
    COMPLETIONS: {
        "object": "text_completion",
        "choices": [{"index": 0, "text": " by the town.", "finish_reason": "stop"}],
        "usage": USAGE,
    },
    EMBEDDINGS: {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}]},
    RESPONSES: {"object": "response", "status": "completed", "output": [OUTPUT]},
}
STREAMED = {
    CHAT: 'data: {"choices":[{"index":0,"delta":{"content":"By"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
    COMPLETIONS: 'data: {"choices":[{"index":0,"text":" by","finish_reason":null}]}\n\ndata: [DONE]\n\n',
    RESPONSES: 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"By"}\n\n',
}


def describe(app: FastAPI, settings: Settings) -> None:
    """Let the application describe itself with the limits that it was given."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = described(app, settings)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend it


def described(app: FastAPI, settings: Settings) -> dict[str, Any]:
    found = get_openapi(title=TITLE, version=settings.version, description=SUMMARY, routes=app.routes)
    for path, schema in Shapes(settings).schemas.items():
        example = {"model": settings.model_name, **ASKED[path]}
        body = {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
        found["paths"][path]["post"]["requestBody"] = body
        found["paths"][path]["post"]["responses"]["200"] = answer(path, settings)
    limit(found["paths"]["/predict"]["post"]["requestBody"]["content"][JSON], settings.max_tokens)
    found["paths"]["/v1/models/{name}"]["get"]["responses"].pop("422")  # any name is one
    for unused in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(unused)
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            speak(operation, generation=method == "post" and path != "/feedback", rates=path == "/feedback")
    for path, example in OWN_ASKED.items():
        found["paths"][path]["post"]["requestBody"]["content"][JSON]["example"] = example
    for path, example in examples(settings.model_name).items():
        (operation,) = found["paths"][path].values()
        operation["responses"]["200"]["content"][TEXT if isinstance(example, str) else JSON]["example"] = example
    if settings.keys_file:
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, methods in found["paths"].items():
            for method in methods.values() if path.startswith(("/v1/", "/predict", "/feedback")) else ():
                method["security"] = [{"key": []}]
    return found


def limit(body: dict[str, Any], most: int) -> None:
    """Describe how much /predict may be asked for."""
    tokens = body["schema"]["properties"]["max_new_tokens"]
    tokens |= {"maximum": most, "default": min(tokens["default"], most)}


def answer(path: str, settings: Settings) -> dict[str, Any]:
    example = {**ANSWERED[path], "model": settings.model_name}
    schema = {"type": "object", "required": [name for name in ("choices", "data", "output") if name in example]}
    content: dict[str, Any] = {"application/json": {"schema": schema, "example": example}}
    if path in STREAMED:
        content["text/event-stream"] = {"example": STREAMED[path]}
    return {"description": "The engine's answer; with `stream` as server-sent events", "content": content}


def examples(model: str) -> dict[str, Any]:
    """Good answers of what is not OpenAI's, or the same for all."""
    one = {"id": model, "object": "model", "created": 0, "owned_by": "sluice"}
    said = {
        "text": " by the town.",
        "model_version": "v1.2.0",
        "query_id": "5f0c",
        "latency_seconds": 0.21,
        "tokens": 4,
    }
    return {
        "/v1/models": {"object": "list", "data": [one]},
        "/v1/models/{name}": one,
        "/predict": said,
        "/feedback": {"query_id": "5f0c", "rating": 5},
        **{path: {"status": "ok"} for path in ("/livez", "/readyz", "/health")},
        "/metrics": 'sluice_inflight_requests{arm="stable"} 3.0\n',
    }


def speak(operation: dict[str, Any], *, generation: bool, rates: bool) -> None:
    """Describe the headers that a request may bring, and those that its answers carry."""
    asks = ASKS if generation else {"x-sluice-user": USER} if rates else {}
    operation["parameters"] = [*operation.get("parameters", []), *(asked(name, *one) for name, one in asks.items())]
    operation["responses"]["500"] = failed = error(500)  # whatever is asked
    failed["content"][JSON]["schema"] = {"$ref": "#/components/schemas/Error"}
    for status, answer in operation["responses"].items():
        always = TELLS | (TELLS_OF_GENERATION if generation else {})
        always |= TELLS_OF_ARM if generation and status == "200" else {}
        some = RESCUED if generation and status == "200" else {} if status == "200" else OUTCOME
        answer["headers"] = {name: told(*one, always=True) for name, one in always.items()}
        answer["headers"] |= {name: told(*one, always=False) for name, one in some.items()}
        if int(status) in AGAIN:
            text = "seconds until it is worth trying again"
            schema = {"type": "integer", "minimum": 1}
            answer["headers"]["retry-after"] = {"description": text, "required": True, "schema": schema, "example": 1}


def asked(name: str, text: str, example: str, most: int) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": most} if most else {"type": "string"}
    return {"name": name, "in": "header", "required": False, "description": text, "schema": schema, "example": example}


def told(text: str, example: str, *, always: bool) -> dict[str, Any]:
    return {"description": text, "required": always, "schema": {"type": "string"}, "example": example}
