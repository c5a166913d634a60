"""One try on one engine: sends the request there, and passes the answer on as it comes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiohttp

from app import pool, sse, whole
from app.arms import Arms
from app.call import Call
from app.errors import Blocked, Declined, EngineFault
from app.exchange import Exchange
from app.gateway import Gateway
from app.guard import Guard, holds
from app.responses import ResponseStream
from app.said import Said
from app.traces import NO_TRY

Reply = aiohttp.ClientResponse
CLOSING_SECONDS = 1  # how long a stream's connection may stay open after its end
HUNG_UP = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@dataclass
class Opened:
    """An answer whose beginning is there: a stream's first frames and the rest to come, or all of it."""

    kind: str  # content type
    first: bytes
    rest: AsyncIterator[bytes] | None
    took: float = 0.0  # seconds that the engine was waited for


class Attempt:
    """`arm` is asked; `patient` holds a stream back until it has content, so that another arm can still stand in."""

    def __init__(
        self, gateway: Gateway, call: Call, arms: Arms, exchange: Exchange, arm: str, *, patient: bool = False
    ) -> None:
        self.gateway, self.call, self.arms, self.exchange, self.arm = gateway, call, arms, exchange, arm
        self.settings, self.patient = gateway.settings, patient
        self.began, self.blocked = time.perf_counter(), gateway.blocked
        self.first: float | None = None  # seconds until there was content
        self.outcome, self.tokens = "ok", dict[str, int]()
        self.tried = NO_TRY

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Opened]:
        """The answer, as soon as it is known to have begun.

        Raises:
            EngineFault: no pod, no connection, nothing in time, a 5xx, or an answer that no client could read.
            Declined: the engine's 4xx.
            Blocked: the answer holds a word that no answer may hold.
        """
        engines = self.arms.engines(self.arm)
        with self.traced():
            if not engines:
                raise EngineFault("connect_error", f"no engine of the {self.arm} arm is ready")
            with self.engine(engines) as engine:
                self.tried.asks(engine)
                reply = await self.sent(engine)
                try:
                    opened = await self.begun(reply)
                    opened.took = time.perf_counter() - self.began
                    yield opened
                finally:  # also on hang-up: an abandoned request would keep the engine generating
                    reply.close()

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """The attempt's span, where the request is traced, with how the attempt ended."""
        self.tried = self.exchange.trace.attempt(self.arm, 2 if self.exchange.failure else 1)
        ending = "cancelled"
        try:
            yield
            ending = self.outcome
        except (Blocked, EngineFault) as fault:
            ending = fault.outcome
            raise
        finally:
            self.tried.end(ending, self.tokens, self.first)

    def end(self, ending: str, tokens: dict[str, int], said: Said | None) -> None:
        self.outcome, self.tokens = ending, tokens
        self.exchange.end(ending, tokens, said)

    @contextlib.contextmanager
    def engine(self, engines: tuple[str, ...]) -> Iterator[str]:
        """One of them, which is told by its end whether it worked."""
        balance = self.gateway.balance
        with balance.least(engines) as engine:
            try:
                yield engine
            except Declined:
                balance.worked(engine)
                raise
            except EngineFault:
                balance.failed(engine)
                raise
            balance.worked(engine)

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
        return Opened(reply.content_type + "; charset=utf-8", first, frames)

    async def sent(self, engine: str) -> Reply:
        """Send it; once more on a new connection when one from the pool had been closed meanwhile."""
        try:
            async with asyncio.timeout(self.limit()):
                try:
                    return await self.post(engine)
                except HUNG_UP as error:
                    if not pool.was_stale(error):
                        raise
                with pool.new_connection():
                    return await self.post(engine)
        except aiohttp.ServerTimeoutError:
            raise EngineFault("connect_error", "no connection to the engine in time") from None
        except TimeoutError:
            raise EngineFault("timeout_ttft", f"no answer within {self.limit():g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            outcome = "stream_truncated" if isinstance(error, aiohttp.ServerDisconnectedError) else "connect_error"
            raise EngineFault(outcome, f"the engine cannot be reached ({type(error).__name__})") from None

    async def post(self, engine: str) -> Reply:
        headers = {
            "content-type": "application/json",
            "x-request-id": self.call.id,
            "x-sluice-source": self.call.source,
            "x-sluice-step": self.arms.step,
        }
        if self.tried.header:
            headers["traceparent"] = self.tried.header
        url = pool.address(engine, self.call.path)
        return await self.gateway.session.post(url, data=self.call.body, headers=headers)

    def limit(self) -> float:
        """Until the first byte: a stream's is soon there, a whole answer's comes with its end."""
        settings = self.settings
        return settings.first_token_seconds if self.call.stream else min(settings.whole_seconds, self.left())

    def left(self) -> float:
        return max(0.0, self.settings.total_seconds - self.exchange.age)

    async def read(self, reply: Reply) -> bytes:
        try:
            async with asyncio.timeout(self.left()):
                return await reply.read()
        except TimeoutError:
            raise EngineFault("timeout_idle", "the answer stopped coming") from None
        except (aiohttp.ClientError, OSError):
            raise EngineFault("stream_truncated", "the engine cut its answer off") from None

    async def whole(self, reply: Reply) -> bytes:
        """The body of an answer in one piece, judged.

        Raises:
            EngineFault: cut, broken or aborted.
        """
        body = await self.read(reply)
        found = whole.judged(self.call.path, body, self.settings.adapter)
        if found.outcome != "ok":
            raise EngineFault(found.outcome, f"the engine's answer is broken ({found.outcome})")
        self.end(found.outcome, found.tokens, found.said)
        if self.blocked and holds(self.blocked, found.said):
            raise Blocked
        return body

    async def frames(self, reply: Reply) -> AsyncIterator[bytes]:
        """The stream's bytes as they come; its end is judged.

        Raises:
            EngineFault: it stopped, was cut, or ended badly.
        """
        make = ResponseStream if self.call.path == whole.RESPONSES else sse.Stream
        guard = Guard(self.blocked) if self.blocked else None
        stream = make(self.call.strip_usage, self.settings.adapter, guard=guard)
        chunks, held, opening = reply.content.iter_any(), b"", self.patient
        while (chunk := await self.next(chunks, stream)) is not None:
            passed = held + stream.feed(chunk)
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

    async def next(self, chunks: AsyncIterator[bytes], stream: sse.Stream) -> bytes | None:
        """The next bytes, or None at the end."""
        first = self.settings.first_token_seconds - (time.perf_counter() - self.began)
        wait = min(self.left(), self.settings.idle_seconds if stream.content else first)
        wait = CLOSING_SECONDS if stream.done else wait  # read to the end, so that the connection can be used again
        try:
            async with asyncio.timeout(max(0.0, wait)):
                return await anext(chunks, None)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if stream.done:
                return None
            raise broken(error, wait, stream) from None


def broken(error: Exception, wait: float, stream: sse.Stream) -> EngineFault:
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
        outcome = "timeout_idle" if stream.content else "timeout_ttft"
        return EngineFault(outcome, f"nothing came for {wait:.0f} s")
    return EngineFault("stream_truncated", "the engine cut its stream off")
