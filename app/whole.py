"""An answer in one piece, read when it is there: how it ended, its tokens and its text."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app import sse
from app.document import read
from app.engines import VLLM, Engine
from app.said import Said, inside

MALFORMED = (AttributeError, KeyError, IndexError, RecursionError, TypeError, ValueError)
OTHER = tuple(name for name in sse.CONTENT if name != "content")
CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"


@dataclass(slots=True)
class Whole:
    """`said` is None where there is no text to look at: an embedding, a call of a tool."""

    outcome: str
    tokens: dict[str, int] = field(default_factory=dict)
    said: Said | None = None


BROKEN = Whole("stream_error")


def judged(path: str, body: bytes, engine: Engine = VLLM) -> Whole:
    """What an engine's 200 is worth; one that no client could read is the engine's failure."""
    try:
        document = read(body)
        counted = sse.tokens(document.get("usage") or {})
        ending, said = READERS[path](document, engine)
    except MALFORMED:
        return BROKEN
    return Whole(ending, counted if ending == "ok" else {}, said)


def choices(document: dict[str, Any], engine: Engine) -> tuple[str, Said | None]:
    said = []
    other = False
    reasons = set()
    for choice in document["choices"]:
        message = choice if "text" in choice else choice["message"]
        text = message.get("content") or message.get("text") or ""
        said += [[inside(text)]] if text else []
        other = other or any(map(message.get, OTHER))
        reasons.add(choice.get("finish_reason"))
    if reasons & engine.aborted:
        return "engine_abort", None
    if reasons & engine.broken:
        return "stream_error", None
    return "ok" if reasons else "stream_error", (None if other and not said else Said(said, "length" in reasons))


def embeddings(document: dict[str, Any], engine: Engine) -> tuple[str, Said | None]:
    vectors = [one["embedding"] for one in document["data"]]
    return ("ok" if vectors and all(vectors) else "stream_error"), None


def response(document: dict[str, Any], engine: Engine) -> tuple[str, Said | None]:
    if document["status"] in ("failed", "cancelled") or document.get("error"):
        return "stream_error", None
    parts = [part for item in document["output"] for part in item.get("content") or []]
    said = [[inside(part["text"])] for part in parts if part.get("text")]
    return "ok", (None if document["output"] and not said else Said(said, document["status"] == "incomplete"))


READERS: dict[str, Callable[[dict[str, Any], Engine], tuple[str, Said | None]]] = {
    CHAT: choices,
    COMPLETIONS: choices,
    EMBEDDINGS: embeddings,
    RESPONSES: response,
}
