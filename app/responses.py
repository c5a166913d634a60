"""A stream of /v1/responses: named events in place of choices, and no [DONE]."""

from dataclasses import dataclass
from typing import Any

from app import sse
from app.document import written
from app.said import inside
from app.sse import BROKE

LAST = ("response.completed", "response.incomplete")
BROKEN = ("response.failed", "error")


ERROR = {"type": "error", "code": "server_error", "message": BROKE.message, "param": None}


@dataclass
class ResponseStream(sse.Stream):
    number: int = 0  # of the event that is being read

    def read(self, document: dict[str, Any], data: bytes) -> bool:
        self.number = document.get("sequence_number", 0)
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
        return True

    def broke(self) -> None:
        """As `response.failed` or `error`, in that API's own shape; its numbers count what came before."""
        self.failed = True
        self.instead = b"event: error\ndata: " + written({**ERROR, "sequence_number": self.number}) + sse.END
