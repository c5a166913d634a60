"""An engine's words about a request without the request's own: engines quote the input that they refuse.

What an error says is written into logs by whoever gets it, far from here; a prompt does not belong there.
"""

import json
from collections.abc import Iterator
from typing import Any

MOST = 400  # characters of a message; the rest of a long one is mostly what it quotes
RUN, STEP = 12, 4  # a quotation of RUN + STEP - 1 characters is always found
SHORT = 6  # of a text that is quoted whole
NAMES = {"model", "role", "type"}
GAP = "…"


def unquoted(message: str, body: bytes) -> str:
    """`message`, cut, and a gap in place of each piece of a text in `body`, which is JSON."""
    texts = [text for text in values(json.loads(body)) if len(text) >= SHORT]
    asked, left, at = "\0".join(texts), message[:MOST], 0
    while at + RUN <= len(left):
        if (found := asked.find(left[at : at + RUN])) < 0:
            at += STEP
            continue
        start, end = grown(left, at, asked, found)
        left = left[:start] + GAP + left[end:]
        at = start + 1
    for text in texts:
        left = left.replace(text, GAP) if len(text) < RUN + STEP else left
    return left


def values(found: Any) -> Iterator[str]:
    """Every text of a document that a client may have made up, names of fields too."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for name, value in found.items():
            yield from () if name in NAMES else (name, *values(value)) if len(name) > RUN else values(value)
    elif isinstance(found, list):
        for one in found:
            yield from values(one)


def grown(left: str, at: int, asked: str, found: int) -> tuple[int, int]:
    """From where to where the two texts agree around a piece that they have in common."""
    start, end = 0, RUN
    while at + start > 0 and found + start > 0 and left[at + start - 1] == asked[found + start - 1]:
        start -= 1
    while at + end < len(left) and found + end < len(asked) and left[at + end] == asked[found + end]:
        end += 1
    return at + start, at + end
