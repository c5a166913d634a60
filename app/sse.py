"""Reads an engine's stream as it passes: first content, usage, how it ended. The bytes stay as they are."""

import json
from dataclasses import dataclass, field
from typing import Any

END = b"\n\n"
READABLE = {"text", "message"}  # what a choice of a whole answer must have one of
CONTENT = ("content", "reasoning", "reasoning_content", "tool_calls")


@dataclass
class Stream:
    """Judges one stream; `strip_usage` takes out the usage chunk that the client did not ask for."""

    strip_usage: bool
    buffer: bytes = b""
    content: bool = False  # a frame with content has passed
    done: bool = False  # [DONE] has passed
    aborted: bool = False
    failed: bool = False
    finished: bool = False  # a finish_reason has passed
    tokens: dict[str, int] = field(default_factory=dict)

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the engine, give those that go to the client: whole frames, in order."""
        self.buffer = (self.buffer + chunk).replace(b"\r\n", b"\n")
        passed = []
        while END in self.buffer:
            frame, self.buffer = self.buffer.split(END, 1)
            if self.keeps(frame):
                passed.append(frame + END)
        return b"".join(passed)

    def rest(self) -> bytes:
        """What came after the last whole frame: passed on as it is, for nothing of an engine's is made up or lost."""
        left, self.buffer = self.buffer, b""
        return left

    def keeps(self, frame: bytes) -> bool:
        data = frame.removeprefix(b"data:").strip() if frame.startswith(b"data:") else b""
        if not data:
            return True
        if data == b"[DONE]":
            self.done = True
            return True
        if self.content and not any(word in data for word in (b'"finish_reason":"', b'"error"', b'"usage":{', b": ")):
            return True  # an ordinary frame after the first: nothing in it to judge
        return self.judged(data)

    def judged(self, data: bytes) -> bool:
        try:
            document = json.loads(data)
        except ValueError:
            self.failed = True
            return True
        if not isinstance(document, dict) or "error" in document:
            self.failed = True
            return True
        try:
            for choice in document.get("choices") or []:
                self.choice(choice)
            usage = document.get("usage")
            self.tokens = tokens(usage) if usage else self.tokens
        except (AttributeError, TypeError, ValueError):  # JSON, but of no shape that a client could read
            self.failed = True
            return True
        return not (self.strip_usage and usage and not document.get("choices"))

    def choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or {}
        said = [delta.get(name) for name in CONTENT] + [choice.get("text")]
        self.content = self.content or any(said)
        reason = choice.get("finish_reason")
        self.finished = self.finished or bool(reason)
        self.aborted = self.aborted or reason == "abort"

    @property
    def outcome(self) -> str:
        """How the stream ended, once the engine has closed it."""
        if self.failed:
            return "stream_error"
        if self.aborted:
            return "engine_abort"
        return "ok" if self.done else "stream_truncated"


def tokens(usage: dict[str, Any]) -> dict[str, int]:
    """Numbers of tokens by direction, `in` and `out`."""
    return {"in": int(usage.get("prompt_tokens") or 0), "out": int(usage.get("completion_tokens") or 0)}


def whole(body: bytes) -> tuple[str, dict[str, int]]:
    """Outcome and tokens of an answer that came in one piece."""
    try:
        document = json.loads(body)
        reasons = {
            choice.get("finish_reason") for choice in document["choices"] if "text" in choice or choice["message"]
        }
        counted = tokens(document.get("usage") or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        return "stream_error", {}
    if "abort" in reasons:
        return "engine_abort", {}
    return ("ok", counted) if reasons else ("stream_error", {})
