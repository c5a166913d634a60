"""The log of requests: one line of JSON for each, written beside the hot path."""

import asyncio
import json
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.call import Call
from app.exchange import Exchange
from app.feedback import user_hash
from app.genai import Attributes
from app.traces import NO_TRACE, Trace

EVERY_SECONDS = 0.25
QUEUED = 50_000  # lines that wait while nobody reads the log; when more come, the oldest go


@dataclass(slots=True)
class Entry:
    """What becomes known of one request on its way; a generation knows more than other requests do."""

    id: str = ""
    source: str = "user"
    key: str = ""  # the name of the API key
    code: str = ""  # of our refusal
    trace: Trace = NO_TRACE
    call: Call | None = None
    exchange: Exchange | None = None
    method: str = ""
    path: str = ""  # of the route, never of the client's own making
    status: int = 0  # 0: the client was gone before it could be told
    began: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    ended: float = 0.0

    @property
    def outcome(self) -> str:
        if self.exchange:
            return self.exchange.ended or ""
        if self.status in (429, 503):
            return "rejected"
        return "client_4xx" if 400 <= self.status < 500 else ""  # a 500 is a fault of ours: no outcome of a request

    def said(self, salt: str) -> dict[str, Any]:
        """The line, without what is not known."""
        stamp = datetime.fromtimestamp(self.ended, UTC).isoformat(timespec="milliseconds")
        line = {
            "event": "request",
            "level": "info",
            "timestamp": stamp,
            "request_id": self.id,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "latency_seconds": round(self.seconds, 4),
            "source": self.source,
            "key": self.key,
            "code": self.code,
            "outcome": self.outcome,
            "trace_id": self.trace.id,
            **self.generation(salt),
        }
        return {name: value for name, value in line.items() if value not in ("", None)}

    def generation(self, salt: str) -> dict[str, Any]:
        if not (self.call and self.exchange):
            return {}
        _, _, step, arm, _ = self.exchange.where
        version, revision = self.exchange.given_by
        return {
            "user": user_hash(self.call.user, salt),
            "version": version,
            "revision": revision,
            "variant": self.exchange.variant,
            "arm": arm,
            "step": step,
            "stream": self.call.stream,
            "rescued": self.exchange.rescued or None,
            "ttft_seconds": None if self.exchange.first is None else round(self.exchange.first, 4),
            "tokens_in": self.exchange.usage.get("in"),
            "tokens_out": self.exchange.usage.get("out"),
        }

    def attributes(self, salt: str) -> Attributes:
        """The same for the request's span, where OpenTelemetry has names of its own for some."""
        own = {"method": "http.request.method", "path": "http.route", "status": "http.response.status_code"}
        own |= {"user": "enduser.pseudo.id"}
        left_out = {"event", "level", "timestamp", "trace_id", "latency_seconds"}
        line = self.said(salt)
        return {own.get(name, f"sluice.{name}"): value for name, value in line.items() if name not in left_out}


class Journal:
    """Takes entries at once, and writes them some time later; `on` is False where nobody wants the lines."""

    def __init__(self, salt: str, *, on: bool = True) -> None:
        self.salt, self.on = salt, on
        self.waiting: deque[Entry] = deque()
        self.lost = 0
        self.writing = threading.Lock()

    def add(self, entry: Entry) -> None:
        if entry.trace.span:
            entry.trace.end(f"{entry.method} {entry.path}", entry.attributes(self.salt))
        if not self.on:
            return
        if len(self.waiting) >= QUEUED:
            self.waiting.popleft()
            self.lost += 1
        self.waiting.append(entry)

    async def run(self) -> None:
        """Until cancelled; the writing is a thread's, for whoever reads the log may be slow."""
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                if self.waiting:
                    await asyncio.to_thread(self.flush)
        finally:
            self.flush()

    def flush(self) -> None:
        with self.writing:
            lines = []
            while self.waiting:
                lines.append(json.dumps(self.waiting.popleft().said(self.salt), ensure_ascii=False))
            if self.lost:
                lines.append(json.dumps({"event": "request_lines_lost", "level": "warning", "lines": self.lost}))
                self.lost = 0
            if lines:
                sys.stdout.write("\n".join(lines) + "\n")
                sys.stdout.flush()
