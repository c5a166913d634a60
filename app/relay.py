"""Passes one request to an engine and its answer back, and sees how it went."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp

from app import sse
from app.arms import Arms
from app.call import Call
from app.errors import EngineFault
from app.exchange import Exchange
from app.gateway import Gateway

Reply = aiohttp.ClientResponse
CLOSING_SECONDS = 1  # how long a stream's connection may stay open after [DONE]


class Attempt:
    """One try on one engine. Before its first byte has gone to the client, a failure is an exception, not an answer."""

    def __init__(self, gateway: Gateway, call: Call, arms: Arms, exchange: Exchange) -> None:
        self.gateway, self.call, self.arms, self.exchange = gateway, call, arms, exchange
        self.settings = gateway.settings

    @contextlib.asynccontextmanager
    async def reply(self) -> AsyncIterator[Reply]:
        """The engine's reply, its headers read.

        Raises:
            EngineFault: no pod, no connection, no header in time, or a 5xx.
        """
        engines = self.arms.engines(self.exchange.arm)
        if not engines:
            raise EngineFault("connect_error", f"no engine of the {self.exchange.arm} arm is ready")
        with self.gateway.balance.least(engines) as engine:
            reply = await self.sent(engine)
            try:
                if reply.status >= 500:
                    raise EngineFault("upstream_5xx", f"the engine answered {reply.status}")
                yield reply
            finally:  # also on hang-up: an abandoned request would keep the engine generating
                reply.close()

    async def sent(self, engine: str) -> Reply:
        headers = {
            "content-type": "application/json",
            "x-request-id": self.call.id,
            "x-sluice-source": self.call.source,
            "x-sluice-step": self.arms.step,
        }
        try:
            async with asyncio.timeout(self.limit()):
                return await self.gateway.session.post(engine + self.call.path, data=self.call.body, headers=headers)
        except aiohttp.ServerTimeoutError:
            raise EngineFault("connect_error", "no connection to the engine in time") from None
        except TimeoutError:
            raise EngineFault("timeout_ttft", f"no answer within {self.limit():g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            outcome = "stream_truncated" if isinstance(error, aiohttp.ServerDisconnectedError) else "connect_error"
            raise EngineFault(outcome, f"the engine cannot be reached ({type(error).__name__})") from None

    def limit(self) -> float:
        """Until the first byte: a stream's is soon there, a whole answer's comes with its end."""
        return self.settings.first_token_seconds if self.call.stream else self.settings.total_seconds

    async def whole(self, reply: Reply) -> bytes:
        """The body of an answer in one piece, judged.

        Raises:
            EngineFault: cut, broken or aborted.
        """
        try:
            async with asyncio.timeout(self.settings.total_seconds):
                body = await reply.read()
        except TimeoutError:
            raise EngineFault("timeout_idle", "the answer stopped coming") from None
        except (aiohttp.ClientError, OSError):
            raise EngineFault("stream_truncated", "the engine cut its answer off") from None
        if reply.status >= 400:
            self.exchange.end("prompt")
            return body
        ending, tokens = sse.whole(body)
        if ending != "ok":
            raise EngineFault(ending, f"the engine's answer is broken ({ending})")
        self.exchange.end(ending, tokens)
        return body

    async def frames(self, reply: Reply) -> AsyncIterator[bytes]:
        """The stream's bytes as they come; its end is judged.

        Raises:
            EngineFault: it stopped, was cut, or ended badly.
        """
        stream = sse.Stream(self.call.strip_usage)
        chunks = reply.content.iter_any()
        while (chunk := await self.next(chunks, stream)) is not None:
            passed = stream.feed(chunk)
            if stream.content:
                self.exchange.content()
            if stream.done:  # the answer is whole: what becomes of the connection is no one's fault any more
                self.exchange.end(stream.outcome, stream.tokens)
            if passed:
                yield passed
        if left := stream.rest():
            yield left
        if stream.outcome in ("ok", "stream_error", "engine_abort"):
            self.exchange.end(stream.outcome, stream.tokens)  # the engine has told the client itself
            return
        raise EngineFault(stream.outcome, "the engine's stream ended before it was done")

    async def next(self, chunks: AsyncIterator[bytes], stream: sse.Stream) -> bytes | None:
        """The next bytes, or None at the end."""
        left = self.settings.total_seconds - self.exchange.age
        first = self.settings.first_token_seconds - self.exchange.age
        wait = min(left, self.settings.idle_seconds if stream.content else first)
        wait = CLOSING_SECONDS if stream.done else wait  # read to the end, so that the connection can be used again
        try:
            async with asyncio.timeout(max(0.0, wait)):
                return await anext(chunks, None)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if stream.done:
                return None
            raise self.broken(error, wait, stream) from None

    @staticmethod
    def broken(error: Exception, wait: float, stream: sse.Stream) -> EngineFault:
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
            outcome = "timeout_idle" if stream.content else "timeout_ttft"
            return EngineFault(outcome, f"nothing came for {wait:.0f} s")
        return EngineFault("stream_truncated", "the engine cut its stream off")
