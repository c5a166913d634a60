"""A stream of /v1/responses: named events in place of choices, and no [DONE]."""

from dataclasses import dataclass
from typing import Any

from app import sse
from app.document import written
from app.errors import ApiError
from app.said import inside

LAST = ("response.completed", "response.incomplete")
BROKEN = ("response.failed", "error")


@dataclass
class ResponseStream(sse.Stream):
    number: int = 0  # that the next event will have

    def read(self, document: dict[str, Any], data: bytes) -> bool:
        kind, delta = document["type"], document.get("delta")
        if kind in BROKEN:
            self.broke()
        if delta and kind.endswith(".delta"):
            self.content = True
            if kind == "response.output_text.delta":
                self.add(document.get("output_index", 0), inside(delta))
            else:
                self.other += 1
        if kind in LAST:
            self.done, self.short = True, kind == "response.incomplete"
            self.tokens = sse.tokens(document["response"].get("usage") or {})
        self.number = document.get("sequence_number", self.number) + 1
        return True

    def event(self, error: ApiError) -> bytes:
        """In that API's own shape: flat, named, and numbered after what came before."""
        said = {"type": "error", "code": error.code, "message": error.message, "param": error.param}
        return b"event: error\ndata: " + written({**said, "sequence_number": self.number}) + sse.END
