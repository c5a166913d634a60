"""A stream of /v1/responses: named events in place of choices, and no [DONE]."""

from dataclasses import dataclass
from typing import Any

from app import sse

LAST = ("response.completed", "response.incomplete")
BROKEN = ("response.failed", "error")


@dataclass
class ResponseStream(sse.Stream):
    def read(self, document: dict[str, Any], data: bytes) -> bool:
        kind, delta = document["type"], document.get("delta")
        if kind in BROKEN:
            self.failed = True
        if delta and kind.endswith(".delta"):
            self.content = True
            if kind == "response.output_text.delta":
                self.pieces.append(sse.inside(delta))
        if kind in LAST:
            self.done = True
            self.tokens = sse.tokens(document["response"].get("usage") or {})
        return True
