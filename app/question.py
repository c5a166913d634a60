"""What a request says of the answer that it wants: kept until that was looked at, and written down nowhere."""

from typing import Any, NamedTuple

KEPT = 2000  # characters
JSON_KINDS = ("json_object", "json_schema")


class Question(NamedTuple):
    text: str = ""  # what the user said last
    json: str = ""  # the kind of JSON that the answer must be; empty: none


NOTHING = Question()


def understood(document: dict[str, Any]) -> Question:
    """Of a document that may have any shape: what is not understood is not asked for."""
    kind = form(document)
    messages = document.get("messages", document.get("input", document.get("prompt")))
    if isinstance(messages, list):
        said = [one.get("content") for one in messages if isinstance(one, dict) and one.get("role") == "user"]
        messages = said[-1] if said else ""
    return Question(text(messages)[-KEPT:], kind)


def form(document: dict[str, Any]) -> str:
    """Several answers in one stream are no JSON together, but each is looked at: a text of its own."""
    wanted = document.get("response_format")
    if wanted is None and isinstance(document.get("text"), dict):
        wanted = document["text"].get("format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    return kind if kind in JSON_KINDS else ""


def text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
