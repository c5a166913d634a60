"""A clock that only moves when somebody sleeps or a server takes its time: load without a second of waiting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from perf import drive, user

FRAMES = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "length"}]}\n\n',
    b'data: {"choices": [], "usage": {"completion_tokens": 2}}\n\n',
    b"data: [DONE]\n\n",
)


@dataclass
class Clock:
    now: float = 1000.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pool(self) -> "Pool":
        return Pool(self)


@dataclass
class Pool:
    """Runs what is spawned beside its caller: the caller's time goes on from where it was."""

    clock: Clock
    ended: float = 0.0

    def spawn(self, run: Callable[..., None], *args: Any) -> None:
        before = self.clock.now
        run(*args)
        self.ended, self.clock.now = max(self.ended, self.clock.now), before

    def join(self) -> None:
        self.clock.now = max(self.clock.now, self.ended)


@dataclass
class Server:
    """Takes 10 ms for an answer; whoever comes between `stalled` and `back`, seconds of the clock, waits until then."""

    clock: Clock
    stalled: float = 0.0
    back: float = 0.0
    status: int = 200
    frames: Sequence[bytes] = FRAMES
    bodies: list[bytes] = field(default_factory=list)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> "Reply":
        self.bodies.append(body)
        if self.stalled <= self.clock.now < self.back:
            self.clock.now = self.back
        self.clock.now += 0.010
        return Reply(self.status, list(self.frames))


@dataclass
class Reply:
    status_code: int
    left: list[bytes]

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def readline(self, _: bytes) -> bytes:
        return self.left.pop(0) if self.left else b""

    def read(self) -> bytes:
        return b"".join(self.left)


def installed(monkeypatch: pytest.MonkeyPatch, clock: Clock, server: Server) -> None:
    """All in perf.user and perf.drive that has to do with time or the network is this clock's and this server's."""
    monkeypatch.setattr(user, "time", clock)
    monkeypatch.setattr(drive, "time", clock)
    monkeypatch.setattr(user.gevent, "sleep", clock.sleep)
    monkeypatch.setattr(user, "Pool", clock.pool)
    monkeypatch.setattr(user.HTTPClient, "from_url", lambda *_, **__: server)
