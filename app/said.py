"""What an answer said: each choice's text in pieces, as they came."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.document import written

Pieces = Sequence[bytes]  # of one text, each the inside of a JSON string


@dataclass(slots=True)
class Said:
    texts: list[list[bytes]] = field(default_factory=list)  # of its choices
    short: bool = False  # it was ended at the length that the client allowed, or by us, or its beginning is not kept


def inside(text: str) -> bytes:
    try:
        return written(text)[1:-1]
    except ValueError:  # half a character
        return json.dumps(text)[1:-1].encode()


def text_of(pieces: Pieces) -> str:
    """The pieces as one text; half a character is as good as one that was replaced."""
    joined = b"".join(pieces)
    if b"\\" not in joined:  # nothing is escaped, so there is no half of anything
        return joined.decode()
    text: str = json.loads(b'"%b"' % joined)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
