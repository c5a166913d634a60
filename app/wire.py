"""HTTP/1.1 towards an engine: one connection, one request at a time, and its answer as it comes.

aiohttp's client takes a third of what a request may cost; an engine's API needs a tenth of what it can.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import httptools

from app.lost import Garbled, HungUp, Lost, untaken
from app.turns import Turns

MOST_HEAD = 64 * 1024
MOST_WAITING = 256 * 1024  # bytes that nobody has taken: with more the engine has to wait


class Reply:
    """One answer; whoever has it closes it, which takes an unfinished one away from the engine at once."""

    def __init__(self, line: "Line", key: str = "") -> None:
        self.line, self.key = line, key  # whose it is
        self.status, self.kind = 0, ""  # the content type, without what follows it
        self.pieces: list[bytes] = []
        self.size = 0  # of the pieces
        self.begun = self.ended = False
        self.fault: Lost | None = None
        self.waiting: asyncio.Future[None] | None = None
        self.queued = False  # something has come, and its turn has not

    async def head(self, seconds: float) -> "Reply":
        """Wait for its status; closed when that does not come.

        Raises:
            TimeoutError: not in time.
            Lost: it never will.
        """
        until = self.line.loop.time() + seconds
        try:
            while not self.begun:
                await self.more(until)
        except BaseException:
            self.close()
            raise
        return self

    async def next(self, seconds: float) -> bytes | None:
        """The bytes that have come, or the next to come; None at the end. Raises as `head`."""
        until = self.line.loop.time() + seconds
        while not (self.pieces or self.ended):
            await self.more(until)
        return self.taken() if self.pieces else None

    def taken(self) -> bytes:
        """What has come, for there is something."""
        found = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.size = 0
        self.line.resume()
        return found

    async def read(self, seconds: float, came: Callable[[int], None] = lambda size: None) -> bytes:
        """All of it. `came` is told how many bytes there are so far, and may raise. Raises as `head`."""
        until, parts, size = self.line.loop.time() + seconds, [], 0
        while self.pieces or not self.ended:
            if self.pieces:
                parts.append(self.taken())
                size += len(parts[-1])
                came(size)
            else:
                await self.more(until)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def more(self, until: float) -> asyncio.Future[None]:
        """What to wait for until something has happened."""
        if self.fault:
            raise self.fault
        self.line.limit(until)
        self.waiting = self.line.loop.create_future()
        return self.waiting

    def wake(self) -> None:
        """Something has come: whoever waits for it goes on, in a turn of the reply's owner."""
        if not self.waiting or self.waiting.done() or self.queued:
            return
        if self.line.turns.room() or self.line.turns.first(self.key):
            self.waiting.set_result(None)
        else:
            self.queued = True
            self.line.turns.wait(self.key, self.woken)

    def woken(self) -> None:
        self.queued = False
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(None)

    def late(self) -> None:
        if self.waiting and not self.waiting.done() and not self.queued:
            self.waiting.set_exception(TimeoutError())

    def fail(self, fault: Lost) -> None:
        self.fault = fault
        self.wake()

    def close(self) -> None:
        if not self.ended:
            self.line.abort()


class Line(asyncio.Protocol):
    """A connection; `free` is told when it can take another request, `lost` when it never will."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, free: Callable[["Line"], None], turns: Turns | None = None
    ) -> None:
        self.loop, self.free, self.turns = loop, free, turns or Turns()
        self.lost: Callable[[Line], None] = lambda line: None
        self.reply: Reply | None = None
        self.since = 0.0  # when it became free
        self.timer: asyncio.TimerHandle | None = None
        self.due = self.looks = 0.0  # when the reply is too late, and when the timer looks whether it is
        self.size = 0  # of the answer's head, as far as it has come
        self.started = self.bounded = self.kept = self.paused = self.untaken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser: Any = httptools.HttpResponseParser(self)

    def ask(self, request: bytes, key: str = "") -> Reply:
        self.reply, self.size, self.started = Reply(self, key), 0, False
        self.transport.write(request)
        return self.reply

    @property
    def closed(self) -> bool:
        return self.transport.is_closing()

    def abort(self) -> None:
        self.reply = None
        self.transport.abort()

    def limit(self, until: float) -> None:
        """Wake the reply when it is late. A timer that rings too early looks again: most are never needed."""
        self.due = until
        if self.timer and self.looks <= until:
            return
        if self.timer:
            self.timer.cancel()
        self.looks, self.timer = until, self.loop.call_at(until, self.look)

    def look(self) -> None:
        self.timer = None
        if not self.reply or not self.reply.waiting or self.reply.waiting.done():
            return
        if self.due - self.loop.time() > 0.001:
            self.limit(self.due)
        else:
            self.reply.late()

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        reply, self.started = self.reply, True
        if not reply:  # nobody has asked
            self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.broken(Garbled("what the engine sent is not HTTP", started=True))
            return
        if reply.ended:
            self.over()
        elif not reply.begun:
            self.size += len(data)
            if self.size > MOST_HEAD:
                self.broken(Garbled("the head of the engine's answer does not end", started=True))

    def over(self) -> None:
        """The answer is whole; free, unless the engine closes, or has begun another answer that nobody asked for."""
        if self.kept:
            self.resume()
            self.free(self)
        else:
            self.transport.close()

    def broken(self, fault: Lost) -> None:
        reply = self.reply
        self.abort()
        if reply:
            reply.fail(fault)

    def on_message_begin(self) -> None:
        self.bounded = False
        self.kept = self.kept and self.reply is not None

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"content-type" and self.reply:
            self.reply.kind = value.partition(b";")[0].strip().decode("latin-1")
        elif name in (b"content-length", b"transfer-encoding"):
            self.bounded = True

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if self.reply and status >= 200:  # else it says that more is to come
            self.kept = self.parser.should_keep_alive()
            self.reply.status, self.reply.begun = status, True
            self.reply.wake()

    def on_body(self, body: bytes) -> None:
        reply = self.reply
        if not reply:
            return
        reply.pieces.append(body)
        reply.size += len(body)
        if reply.size > MOST_WAITING and not self.paused:
            self.paused = True
            self.transport.pause_reading()
        reply.wake()

    def on_message_complete(self) -> None:
        if self.reply and self.reply.begun:
            self.finish()

    def finish(self) -> None:
        reply, self.reply = self.reply, None
        if reply:
            reply.ended = True
            reply.wake()

    def eof_received(self) -> None:
        self.untaken = untaken(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer:
            self.timer.cancel()
        self.parser = None  # which refers to us
        self.lost(self)
        if not self.reply:
            return
        if self.reply.begun and not self.bounded and exc is None:  # its end is that of the connection
            self.finish()
        else:
            known = {"untaken": self.untaken, "reset": isinstance(exc, ConnectionError)}
            self.reply.fail(HungUp("the engine closed the connection", started=self.started, **known))
