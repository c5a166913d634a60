"""One try on one engine: sends the request there, and passes the answer on as it comes."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from app import sse, whole
from app.arms import Arms
from app.balance import Seat
from app.call import Call
from app.errors import Blocked, Declined, EngineFault, Overlong
from app.exchange import Exchange
from app.fault import broken, overdue, unbegun
from app.gateway import Gateway
from app.guard import Guard, holds
from app.lost import Lost
from app.responses import ResponseStream
from app.said import Said
from app.traces import NO_TRY
from app.wire import Reply

CLOSING_SECONDS = 1  # how long a stream's connection may stay open after its end


@dataclass(slots=True)
class Opened:
    """An answer whose beginning is there: a stream's first frames and the rest to come, or all of it."""

    kind: str  # content type
    first: bytes
    rest: AsyncIterator[bytes] | None
    took: float = 0.0  # seconds that the engine was waited for


class Attempt:
    """`arm` is asked; `patient` holds a stream back until it has content, so that another arm can still stand in.

    As a context it gives the answer, as soon as that is known to have begun, and ends by taking what is left of it
    away from the engine. No generator's contexts here: they would cost as much as the way to the engine.
    """

    def __init__(
        self, gateway: Gateway, call: Call, arms: Arms, exchange: Exchange, arm: str, *, patient: bool = False
    ) -> None:
        self.gateway, self.call, self.arms, self.exchange, self.arm = gateway, call, arms, exchange, arm
        self.settings, self.patient = gateway.settings, patient
        self.began, self.blocked = time.perf_counter(), gateway.blocked
        self.first: float | None = None  # seconds until there was content
        self.outcome = "ok"
        self.tokens: dict[str, int] = {}
        self.seat: Seat | None = None
        self.reply: Reply | None = None
        self.stream: sse.Stream | None = None

    async def __aenter__(self) -> Opened:
        """Ask.

        Raises:
            EngineFault: no pod, no connection, nothing in time, a 5xx, or an answer that no client could read.
            Declined: the engine's 4xx.
            Blocked: the answer holds a word that no answer may hold.
            Busy: there is no room for the answer.
        """
        trace = self.exchange.trace
        self.tried = trace.attempt(self.arm, 2 if self.exchange.failure else 1) if trace.header else NO_TRY
        try:
            opened = await self.begun(await self.sent())
        except BaseException as fault:
            self.over(fault)
            raise
        opened.took = time.perf_counter() - self.began
        return opened

    async def __aexit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        self.over(fault)

    def over(self, fault: BaseException | None) -> None:
        """The engine is free of it, and told whether it worked; the attempt's span says how it ended."""
        if self.reply:  # also on hang-up: an abandoned request would keep the engine generating
            self.reply.close()
        if self.seat:
            self.seat.leave()
            if fault is None or isinstance(fault, Declined):
                self.gateway.balance.worked(self.seat.engine)
            elif isinstance(fault, EngineFault):
                self.gateway.balance.failed(self.seat.engine)
        if self.tried is not NO_TRY:
            known = fault.outcome if isinstance(fault, (Blocked, EngineFault)) else "cancelled"
            self.tried.end(known if fault else self.outcome, self.tokens, self.first)

    def end(self, ending: str, tokens: dict[str, int], said: Said | None) -> None:
        self.outcome, self.tokens = ending, tokens
        self.exchange.end(ending, tokens, said)

    async def sent(self) -> Reply:
        """Send it to one of the arm's engines; its answer has begun."""
        engines = self.arms.engines(self.arm)
        if not engines:
            raise EngineFault("connect_error", f"no engine of the {self.arm} arm is ready")
        self.seat = self.gateway.balance.least(engines)
        self.tried.asks(self.seat.engine)
        limit, call = self.limit(), self.call
        try:
            self.reply = await self.gateway.pool.post(
                self.seat.engine,
                call.path,
                self.head(),
                call.body,
                limit,
                call.key,
                repeatable=call.repeatable,
            )
        except (TimeoutError, Lost) as error:
            raise unbegun(error, limit) from None
        return self.reply

    def head(self) -> str:
        """What the engine is told beside what is asked; nothing in it can end a line."""
        call, trace = self.call, f"traceparent: {self.tried.header}\r\n" if self.tried.header else ""
        return (
            f"x-request-id: {call.id}\r\nx-sluice-source: {call.source}\r\nx-sluice-step: {self.arms.step}\r\n{trace}"
        )

    def limit(self) -> float:
        """Until the first byte: a stream's is soon there, a whole answer's comes with its end."""
        settings = self.settings
        return min(settings.first_token_seconds if self.call.stream else settings.whole_seconds, self.left())

    def left(self) -> float:
        return max(0.0, self.settings.total_seconds - self.exchange.age)

    async def begun(self, reply: Reply) -> Opened:
        if reply.status >= 500:
            raise EngineFault("upstream_5xx", f"the engine answered {reply.status}")
        if reply.status >= 400:
            raise Declined(reply.status, await self.read(reply), self.call.body)
        if not self.call.stream:
            return Opened("application/json", await self.whole(reply), None)
        frames = self.frames(reply)
        first = await anext(frames, b"")
        if not first:
            raise EngineFault("stream_truncated", "the engine sent an empty stream")
        return Opened((reply.kind or "application/octet-stream") + "; charset=utf-8", first, frames)

    async def read(self, reply: Reply) -> bytes:
        try:
            return await reply.read(self.left(), self.bounded)
        except TimeoutError:
            raise EngineFault("timeout_idle", "the answer stopped coming") from None
        except Lost:
            raise EngineFault("stream_truncated", "the engine cut its answer off") from None

    def bounded(self, size: int) -> None:
        """So many bytes of the answer are there and cannot go out yet.

        Raises:
            Overlong: more than are held of one.
            Busy: more than there is room for.
        """
        if size > self.settings.max_answer_bytes:
            raise Overlong(self.settings.max_answer_bytes)
        self.call.hold.grow(len(self.call.body) + size)

    async def whole(self, reply: Reply) -> bytes:
        """The body of an answer in one piece, judged.

        Raises:
            EngineFault: cut, broken, aborted or too large.
        """
        body = await self.read(reply)
        found = whole.judged(self.call.path, body, self.settings.adapter)
        if found.outcome != "ok":
            raise EngineFault(found.outcome, f"the engine's answer is broken ({found.outcome})")
        said, cut = found.said, self.blocked and holds(self.blocked, found.said)
        self.end(found.outcome, found.tokens, replace(said, short=True) if said and cut else said)
        if cut:
            raise Blocked
        return body

    async def frames(self, reply: Reply) -> AsyncIterator[bytes]:
        """The stream's bytes as they come; its end is judged.

        Raises:
            EngineFault: it stopped, was cut, ended badly, or there is too much that cannot go out yet.
        """
        make = ResponseStream if self.call.path == whole.RESPONSES else sse.Stream
        guard = Guard(self.blocked) if self.blocked else None
        self.stream = self.exchange.heard = stream = make(self.call.strip_usage, self.settings.adapter, guard=guard)
        held, opening = b"", self.patient
        while (chunk := await self.next(reply, stream)) is not None:
            passed = held + stream.feed(chunk)
            if held or stream.buffer:
                self.bounded(len(held) + len(stream.buffer))
            if opening and (stream.failed or stream.aborted):
                raise EngineFault(stream.outcome, "the engine's stream began with an error")
            if stream.content and self.first is None:
                self.first = time.perf_counter() - self.began
                self.exchange.content()
            if opening and not (stream.content or stream.done):
                held = passed
                continue
            if stream.done:  # the answer is whole: what becomes of the connection is no one's fault any more
                self.end(stream.outcome, stream.tokens, stream.said)
            held, opening = b"", False
            if passed:
                yield passed
            self.cut(stream)
        if left := stream.rest():
            yield left
        self.cut(stream)
        if stream.outcome in ("ok", "stream_error", "engine_abort"):
            self.end(stream.outcome, stream.tokens, stream.said)  # the engine has told the client itself
            return
        raise EngineFault(stream.outcome, "the engine's stream ended before it was done")

    def cut(self, stream: sse.Stream) -> None:
        """The engine's part is over as soon as the guard lets nothing through."""
        if stream.cut:
            self.end("ok", stream.tokens, stream.said)
            raise Blocked

    async def next(self, reply: Reply, stream: sse.Stream) -> bytes | None:
        """The next bytes, or None at the end.

        Raises:
            EngineFault: there are none in time, or none any more.
            Unread: the time for all of it is over, for a client that was slow to read.
        """
        first = self.settings.first_token_seconds - (time.perf_counter() - self.began)
        left = self.left()
        wait = min(left, self.settings.idle_seconds if stream.content else first)
        wait = CLOSING_SECONDS if stream.done else wait  # read to the end, so that the connection can be used again
        try:
            if not left and not stream.done:  # where more has come already, nothing is waited for
                raise TimeoutError
            return await reply.next(wait)
        except (TimeoutError, Lost) as error:
            if stream.done:
                return None
            if wait < left or isinstance(error, Lost):
                raise broken(error, wait, stream) from None
            raise overdue(self.exchange.unread, self.settings.total_seconds, stream) from None
