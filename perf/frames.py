"""Reads a stream's frames as a client would, and says how the stream ended."""

import json
from typing import Any

from perf.sample import OK, Sample


class Frames:
    """Fed frame by frame with the time at which it came, it fills in one sample."""

    def __init__(self, sample: Sample) -> None:
        self.sample, self.done = sample, False

    def feed(self, frame: bytes, at: float) -> None:
        data = frame.strip().removeprefix(b"data:").strip()
        if data == b"[DONE]":
            self.done = True
            return
        try:
            document = json.loads(data)
            self.judge(document, at)
        except (AttributeError, IndexError, TypeError, ValueError):
            self.sample.outcome = "stream_error"

    def judge(self, document: dict[str, Any], at: float) -> None:
        if "error" in document:
            self.sample.outcome = "stream_error"
        if usage := document.get("usage"):
            self.sample.tokens = usage["completion_tokens"]
        for choice in document.get("choices") or []:
            if choice.get("finish_reason") == "abort":
                self.sample.outcome = "engine_abort"
            if (choice.get("delta") or {}).get("content"):
                self.content(at)

    def content(self, at: float) -> None:
        if self.sample.first is None:
            self.sample.first = at
        else:
            self.sample.gaps.append(round(at - (self.sample.last or at), 6))
        self.sample.last = at

    def close(self) -> None:
        """The connection has ended."""
        if self.sample.outcome == OK and not self.done:
            self.sample.outcome = "stream_truncated"
