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
    for one in reversed(messages) if isinstance(messages, list) else ():
        if isinstance(one, dict) and one.get("role") == "user":
            return Question(text(one.get("content"))[-KEPT:], kind)
    return Question(messages[-KEPT:] if isinstance(messages, str) else "", kind)


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
