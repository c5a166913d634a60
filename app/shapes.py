"""The form of a request's body, as JSON Schema: what /docs shows is what is checked."""

from collections.abc import Callable
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

from app.caps import COUNTS, LENGTHS, LOGPROBS, MAX_STOP_CHARS, TEXT_FIELDS, TEXT_PARTS
from app.errors import Refusal
from app.settings import Settings
from app.whole import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES

Schema = dict[str, Any]
TEXT, NULL, NUMBER, OBJECT = {"type": "string"}, {"type": "null"}, {"type": "number"}, {"type": "object"}


class Shapes:
    """One schema for each endpoint of OpenAI's that takes a body."""

    def __init__(self, settings: Settings) -> None:
        self.schemas = {path: schema(path, settings) for path in MAIN}
        # of a field that is not there, an engine says more
        self.validators = {path: Draft202012Validator({**one, "required": []}) for path, one in self.schemas.items()}

    def check(self, path: str, document: Schema) -> None:
        """Nothing, when all is well.

        Raises:
            Refusal: a field has another form than its schema says; its value is not told.
        """
        try:
            self.validators[path].validate(document)
        except ValidationError as error:
            where = ".".join(map(str, error.instance_path)) or "body"
            message = f"{where[:64]} has not the form that /docs describes ({error.kind.name})"
            raise Refusal(400, "invalid_value", message, where[:64]) from None


def schema(path: str, settings: Settings) -> Schema:
    fields = {"model": {"enum": [settings.model_name, None]}, **MAIN[path](settings), **options(path, settings)}
    allowed = {name: one for name, one in fields.items() if not settings.allowed or name in settings.allowed}
    return {
        "type": "object",
        "required": [next(iter(MAIN[path](settings)))],
        "properties": allowed,
        "additionalProperties": not settings.allowed,
    }


def options(path: str, settings: Settings) -> Schema:
    """Fields that many requests share; all others pass to the engine as they are."""
    if path == EMBEDDINGS:
        return {"user": either(TEXT)}
    whole = {name: either(number(0, settings.max_tokens)) for name in LENGTHS}
    counts = {name: either(number(1, settings.max_n)) for name in COUNTS}
    logprobs = {name: either({"type": "boolean"}, number(-1, settings.max_logprobs)) for name in LOGPROBS}
    stop = {"type": "string", "maxLength": MAX_STOP_CHARS}
    return {
        **whole,
        **counts,
        **logprobs,
        "stop": either(stop, {"type": "array", "items": stop, "maxItems": settings.max_stop}),
        "stream": either({"type": "boolean"}),
        "stream_options": either({"type": "object", "properties": {"include_usage": either({"type": "boolean"})}}),
        "temperature": either(NUMBER),
        "top_p": either(NUMBER),
        "response_format": either({"type": "object", "properties": {"type": TEXT}}),
        "user": either(TEXT),
    }


def either(*forms: Schema) -> Schema:
    """One of these, or null, which is as good as nothing."""
    return {"anyOf": [*forms, NULL]}


def number(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def messages(settings: Settings) -> Schema:
    content = either(TEXT, {"type": "array", "items": {"anyOf": [TEXT, part(settings)]}})
    message = {"type": "object", "required": ["role"], "properties": {"role": TEXT, "content": content}}
    return {"messages": {"type": "array", "minItems": 1, "items": message}}


def part(settings: Settings) -> Schema:
    """Of a message: text; with media hosts, of any kind, and its addresses are looked at."""
    if settings.media:
        return OBJECT
    fields: Schema = {name: {} for name in sorted(TEXT_FIELDS - {"type", "text"})}
    known = {"type": {"enum": sorted(TEXT_PARTS)}, "text": TEXT, **fields}
    return {"type": "object", "required": ["type"], "properties": known, "additionalProperties": False}


def prompt(settings: Settings) -> Schema:
    text, token = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
    tokens = {"type": "array", "minItems": 1, "items": token}
    batch = {"type": "array", "minItems": 1, "maxItems": settings.max_batch}
    return {"anyOf": [text, tokens, {**batch, "items": text}, {**batch, "items": tokens}]}


def items(settings: Settings) -> Schema:
    """What /v1/responses takes: a text, or messages and calls of tools."""
    several = {"type": "array", "minItems": 1, "maxItems": settings.max_batch, "items": OBJECT}
    return {"anyOf": [{"type": "string", "minLength": 1}, several]}


MAIN: dict[str, Callable[[Settings], Schema]] = {
    CHAT: messages,
    COMPLETIONS: lambda settings: {"prompt": prompt(settings)},
    EMBEDDINGS: lambda settings: {"input": prompt(settings)},
    RESPONSES: lambda settings: {"input": items(settings)},
}
