"""What /docs says beyond the signatures: bodies, examples, and every status with its shape."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.errors import shaped
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
    502: ("upstream_5xx", "the engine failed, or cannot be reached"),
    503: ("shutting_down", "no engine yet, no database, or this gateway is going away: Retry-After says when"),
    504: ("timeout_ttft", "the engine did not answer in time"),
}
KEY = (401,)
GENERATION = (400, 401, 404, 408, 409, 413, 429, 431, 502, 503, 504)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route: the statuses that it may answer with, each with an example."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        code, text = STATUSES[status]
        example = shaped(status, code, text, None)
        found[status] = {"model": Error, "description": text, "content": {"application/json": {"example": example}}}
    return found


ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Where does the river lie?"}], "max_tokens": 64, "stream": False},
    COMPLETIONS: {"prompt": "The river lies", "max_tokens": 64},
    EMBEDDINGS: {"input": "The river lies by the town."},
    RESPONSES: {"input": "Where does the river lie?", "max_output_tokens": 64, "store": False},
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
    found["paths"]["/v1/models/{name}"]["get"]["responses"].pop("422")  # any name is one
    for unused in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(unused)
    if settings.keys_file:
        found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, methods in found["paths"].items():
            for method in methods.values() if path.startswith(("/v1/", "/predict", "/feedback")) else ():
                method["security"] = [{"key": []}]
    return found


def answer(path: str, settings: Settings) -> dict[str, Any]:
    example = {**ANSWERED[path], "model": settings.model_name}
    schema = {"type": "object", "required": [name for name in ("choices", "data", "output") if name in example]}
    content: dict[str, Any] = {"application/json": {"schema": schema, "example": example}}
    if path in STREAMED:
        content["text/event-stream"] = {"example": STREAMED[path]}
    return {"description": "The engine's answer; with `stream` as server-sent events", "content": content}
