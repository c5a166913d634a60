"""What a request may ask for at most, and of what kind: checked before any engine sees it."""

import re
import sys
from typing import Any
from urllib.parse import urlsplit

from app.errors import Refusal
from app.settings import Settings

Document = dict[str, Any]
LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "min_tokens")
COUNTS = ("n", "best_of")
LOGPROBS = ("logprobs", "top_logprobs", "prompt_logprobs")
NUMBERS = frozenset((*LENGTHS, *COUNTS, *LOGPROBS))
MAX_STOP_CHARS = 256
TEXT_PARTS = {"text", "input_text", "output_text", "refusal"}
TEXT_FIELDS = {"type", "text", "refusal", "annotations", "logprobs", "cache_control"}
WITHIN = "data:"  # among the allowed hosts: media that needs no fetching, as large as a body and a prompt may be
MEDIA = re.compile(r"data:(image|audio|video)/[a-z0-9.+-]+;base64,")
PARTS = ("content", "output")  # of a message, or of what a tool has said
TEXT_OF = ("messages", "prompt", "input", "instructions", "suffix", "tools", "response_format")


def checked(document: Document, settings: Settings, size: int = sys.maxsize) -> None:
    """Nothing, when all is well. `size` is that of the body which it was read from, in bytes.

    Raises:
        Refusal: a field is above its cap, of another type, or not allowed here.
    """
    model = document.get("model")
    if model not in (None, settings.model_name):
        raise Refusal(404, "model_not_found", f"there is no model of that name, only {settings.model_name}", "model")
    if settings.allowed and (extra := sorted(set(document) - settings.allowed)):
        raise Refusal(400, "unknown_parameter", "this field is not allowed here", extra[0][:64])
    for name in filter(NUMBERS.__contains__, document):
        number(name, document[name], settings)
    if "stop" in document:
        stops(document["stop"], settings.max_stop)
    prompts(document, settings, size)


def number(name: str, value: Any, settings: Settings) -> None:
    least, most = 0, settings.max_tokens
    if name in COUNTS:
        least, most = 1, settings.max_n
    if name in LOGPROBS:
        least, most = -1, settings.max_logprobs
    if value is None or (name in LOGPROBS and isinstance(value, bool)):
        return
    # a text would be made a number by an engine, past these caps; 3.0 is a whole number in JSON
    whole = isinstance(value, float) and value.is_integer()
    if isinstance(value, bool) or not (whole or isinstance(value, int)) or not least <= value <= most:
        raise Refusal(400, "invalid_value", f"{name} must be a whole number from {least} to {most}", name)


def stops(stop: Any, most: int) -> None:
    if stop is None:
        return
    texts = stop if isinstance(stop, list) else [stop]
    if len(texts) > most or not all(isinstance(text, str) and len(text) <= MAX_STOP_CHARS for text in texts):
        message = f"stop must be at most {most} texts of at most {MAX_STOP_CHARS} characters"
        raise Refusal(400, "invalid_value", message, "stop")


def prompts(document: Document, settings: Settings, size: int) -> None:
    batch = document.get("prompt", document.get("input"))
    if isinstance(batch, list) and len(batch) > settings.max_batch and not isinstance(batch[0], int):
        raise Refusal(400, "invalid_value", f"at most {settings.max_batch} prompts at once", "prompt")
    most = settings.max_prompt_chars  # no text has more characters than it took bytes
    if size > most and sum([length(document[name]) for name in TEXT_OF if name in document]) > most:
        message = f"the prompt is longer than {most} characters or tokens"
        raise Refusal(400, "context_length_exceeded", message, "messages" if "messages" in document else "prompt")
    for name in ("messages", "input"):
        found = document.get(name)
        for item in found if isinstance(found, list) else ():
            for content in map(item.get, PARTS) if isinstance(item, dict) else ():
                if isinstance(content, (dict, list)):
                    parts(content, settings, name)


def length(found: Any) -> int:
    """Characters of all texts in it, and one for each number: a prompt may be a list of tokens."""
    if isinstance(found, str):
        return len(found)
    if isinstance(found, dict):
        return sum(map(length, found.values()))
    return sum(map(length, found)) if isinstance(found, list) else 1


def parts(content: Document | list[Any], settings: Settings, where: str) -> None:
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            continue
        if not isinstance(part, dict) or not (is_text(part) or is_allowed_media(part, settings.media)):
            message = "only text is taken here, and media of the hosts that are allowed"
            raise Refusal(400, "unsupported_content", message, where)


def is_text(part: Document) -> bool:
    return str(part.get("type", "text")) in TEXT_PARTS and set(part) <= TEXT_FIELDS


def is_allowed_media(part: Document, hosts: frozenset[str]) -> bool:
    """Whether all that an engine would fetch for it lies on an allowed host, or is there already where that may be."""
    urls = [value.get("url") if isinstance(value, dict) else value for name, value in part.items() if name != "type"]
    texts = [url for url in urls if isinstance(url, str) and url not in ("auto", "low", "high")]
    return bool(texts) and all(host(url) in hosts or (WITHIN in hosts and MEDIA.match(url)) for url in texts)


def host(url: str) -> str:
    """Its host, or '' when two programs could read two different ones out of it."""
    if not url.isascii() or any(sign in url for sign in "\\@ \t\r\n"):
        return ""
    try:
        found = urlsplit(url)
        return (found.hostname or "") if found.scheme == "https" and found.port in (None, 443) else ""
    except ValueError:
        return ""
