"""A stream of /v1/responses: named events in place of choices, and no [DONE]."""

from dataclasses import dataclass
from typing import Any

from app import sse
from app.said import inside

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
                self.add(document.get("output_index", 0), inside(delta))
        if kind in LAST:
            self.done, self.short = True, kind == "response.incomplete"
            self.tokens = sse.tokens(document["response"].get("usage") or {})
        return True
