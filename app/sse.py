"""Reads an engine's stream as it passes: first content, usage, how it ended.

The bytes stay as they are, but where the engine tells of a failure of its own: what it says of itself is not for users.
"""

import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from app.document import read
from app.engines import VLLM, Engine
from app.errors import ApiError, EngineFault
from app.guard import Guard
from app.said import Said, inside

END = b"\n\n"
BREAK = re.compile(rb"\r\n|\n|\r")
BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")  # ends a frame, whatever ends its lines
CONTENT = ("content", "reasoning", "reasoning_content", "tool_calls")
BROKE = EngineFault("stream_error", "the engine could not finish this answer")
KEPT_PIECES = 16_384  # of each text, its last ones, for the checks
TEXT = re.compile(rb'"(?:content|text)": ?"')
CHARACTERS = re.compile(rb'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')  # of a JSON string


@dataclass(frozen=True)
class Frame:
    """What the frames of a stream have in common: all but the text, so that the next need not be parsed."""

    before: bytes
    after: bytes
    choice: int

    def text(self, data: bytes) -> bytes | None:
        """The text of a frame that differs in nothing else, and so is as sound as the one that was parsed."""
        if not (data.startswith(self.before) and data.endswith(self.after)):
            return None
        text = data[len(self.before) : len(data) - len(self.after)]
        return text if CHARACTERS.fullmatch(text) else None


@dataclass
class Stream:
    """Judges one stream; `strip_usage` takes out the usage chunk that the client did not ask for."""

    strip_usage: bool
    engine: Engine = VLLM
    buffer: bytes = b""
    content: bool = False  # a frame with content has passed
    done: bool = False  # [DONE] has passed
    aborted: bool = False
    failed: bool = False
    tokens: dict[str, int] = field(default_factory=dict)
    short: bool = False  # ended at the length that was asked for
    pieces: dict[int, deque[bytes]] = field(default_factory=dict)  # of each choice's text
    other: int = 0  # frames with content of another kind: thoughts, calls of tools
    frame: Frame | None = None
    instead: bytes = b""  # what goes out in place of the frame that is being read
    guard: Guard | None = None  # decides what goes out, where one is wanted
    mixed: bool = False  # lines do not all end in LF
    half: bool | None = None  # whether the last frame was kept, whose end may have been half a CRLF

    def feed(self, chunk: bytes) -> bytes:
        """Take bytes from the engine, give those that go to the client: whole frames, in order."""
        self.buffer += chunk
        if self.mixed or b"\r" in chunk:
            return self.feed_mixed()
        passed = []
        while END in self.buffer:
            frame, self.buffer = self.buffer.split(END, 1)
            if self.keeps(frame):
                passed.append(self.out(frame + END))
        return b"".join(passed)

    def feed_mixed(self) -> bytes:
        """The same where lines end in CRLF or CR; no frame waits for the LF that may belong to its last CR."""
        self.mixed, passed = True, []
        if self.half is not None and self.buffer:
            if self.buffer.startswith(b"\n"):
                self.buffer = self.buffer[1:]
                passed.append(self.out(b"\n") if self.half else b"")
            self.half = None
        while end := BLANK.search(self.buffer):
            frame, self.buffer = self.buffer[: end.start()], self.buffer[end.end() :]
            kept = self.keeps(BREAK.sub(b"\n", frame))
            self.half = kept and not self.instead if end[0].endswith(b"\r") and not self.buffer else None
            if kept:
                passed.append(self.out(frame + end[0]))
        return b"".join(passed)

    def out(self, frame: bytes) -> bytes:
        """What goes to the client for a frame that is kept."""
        out, self.instead = self.instead or frame, b""
        return self.guard.passed(out, ended=self.done) if self.guard else out

    def rest(self) -> bytes:
        """What came after the last whole frame, where the engine was done: before that it is half a frame.

        Of that nobody could read anything, nor what follows it: the error event that says so.
        """
        left, self.buffer = self.buffer if self.done else b"", b""
        return self.guard.rest() + (b"" if self.cut else left) if self.guard else left

    @property
    def cut(self) -> bool:
        """Whether the guard lets nothing through any more."""
        return self.guard is not None and self.guard.cut

    def add(self, choice: int, piece: bytes) -> None:
        if choice not in self.pieces:
            self.pieces[choice] = deque(maxlen=KEPT_PIECES)
        self.pieces[choice].append(piece)
        if self.guard:
            self.guard.hear(choice, piece)

    def keeps(self, frame: bytes) -> bool:
        data = data_of(frame)
        if not data:
            return True
        if self.frame and (text := self.frame.text(data)) is not None:
            self.add(self.frame.choice, text)
            return True
        if data == b"[DONE]":
            self.done = True
            return True
        return self.judged(data)

    def judged(self, data: bytes) -> bool:
        """Whether the frame goes to the client; one that no client could read is the engine's failure."""
        try:
            document = read(data)
            if document.get("error") is not None:
                self.broke()
                return True
            return self.read(document, data)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            self.failed = True
            return True

    def read(self, document: dict[str, Any], data: bytes) -> bool:
        choices = document.get("choices") or []
        for choice in choices:
            self.choice(choice)
        usage = document.get("usage")
        self.tokens = tokens(usage) if usage else self.tokens
        if len(choices) == 1 and not usage and not choices[0].get("finish_reason"):
            self.learn(choices[0], data)
        return not (self.strip_usage and usage and not choices)

    def learn(self, choice: dict[str, Any], data: bytes) -> None:
        """Take this frame as the pattern of the next ones, where nothing but one text can differ."""
        said = choice.get("delta", choice)
        text = said.get("content") or said.get("text")
        if not isinstance(text, str) or not text or not (found := TEXT.search(data)):
            return
        characters = CHARACTERS.match(data, found.end())
        if characters and json.loads(b'"%b"' % characters[0]) == text:
            self.frame = Frame(data[: characters.start()], data[characters.end() :], choice.get("index", 0))

    def choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or {}
        text = delta.get("content") or choice.get("text")
        if text:
            self.add(choice.get("index", 0), inside(text))
        elif any(map(delta.get, CONTENT)):
            self.other += 1
        self.content = self.content or bool(text) or self.other > 0
        if reason := choice.get("finish_reason"):
            self.aborted = self.aborted or reason in self.engine.aborted
            if reason in self.engine.broken:
                self.broke()
            self.short = self.short or reason == "length"

    def broke(self) -> None:
        """The engine says that it failed: so does the stream, in our words, and with no finish_reason."""
        self.failed, self.instead = True, self.event(BROKE)

    def event(self, error: ApiError) -> bytes:
        """An error as clients of this API look for one within a stream."""
        return error.event

    @property
    def outcome(self) -> str:
        """How the stream ended, once the engine has closed it."""
        if self.failed:
            return "stream_error"
        if self.aborted:
            return "engine_abort"
        return "ok" if self.done else "stream_truncated"

    @property
    def heard(self) -> int:
        """Frames with content, which are about as many tokens; of a text that is longer, those that are kept."""
        return self.other + sum(map(len, self.pieces.values()))

    @property
    def said(self) -> Said | None:
        """The text; None when the answer was of another kind, like a call of a tool."""
        if self.content and not self.pieces:
            return None
        texts = [list(pieces) for pieces in self.pieces.values()]
        return Said(texts, self.short or self.cut or any(len(text) == KEPT_PIECES for text in texts))


def data_of(frame: bytes) -> bytes:
    """A frame's data, empty for a comment; other fields, like the event's name, are let alone."""
    if frame.startswith(b"data:") and b"\n" not in frame:
        return frame[5:].strip()
    lines = [line[5:].strip() for line in frame.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def tokens(usage: dict[str, Any]) -> dict[str, int]:
    """Numbers of tokens by direction, `in` and `out`; /v1/responses has its own words for them."""
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    written = usage.get("completion_tokens", usage.get("output_tokens"))
    return {"in": int(read or 0), "out": int(written or 0)}
