"""How long a connection may have nobody to answer.

A timer made and cancelled for each request costs as much as to read its head: one timer looks from time to time.
"""

import asyncio
from collections.abc import Callable


class Rest:
    """Calls `over` when a rest has lasted for so many seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, over: Callable[[], None]) -> None:
        self.loop, self.seconds, self.over = loop, seconds, over
        self.since: float | None = None  # None while somebody waits for an answer
        self.timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.since = self.loop.time()
        if self.timer is None:
            self.timer = self.loop.call_later(self.seconds, self.look)

    def end(self) -> None:
        self.since = None

    def shorten(self, seconds: float) -> None:
        """From now on no rest lasts longer, nor the one that is."""
        self.cancel()
        self.seconds, self.timer = seconds, None
        if self.since is not None:
            self.begin()

    def look(self) -> None:
        self.timer = None
        if self.since is None:  # the next rest makes a timer of its own
            return
        left = self.since + self.seconds - self.loop.time()
        if left <= 0:
            self.over()
        else:
            self.timer = self.loop.call_later(left, self.look)

    def cancel(self) -> None:
        if self.timer:
            self.timer.cancel()

    def done(self) -> None:
        """There is none any more, and whoever had it is no longer known here."""
        self.cancel()
        self.over = nothing


def nothing() -> None:
    """What is left to do for a connection that is gone."""
