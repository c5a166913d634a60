"""The answer to one generation, as an ASGI response that notices at once when its client goes away."""

import asyncio
import json
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.arms import Arms
from app.call import Call
from app.errors import ApiError, EngineFault
from app.exchange import Exchange
from app.gateway import Gateway, headers
from app.relay import Attempt, Reply


class Answer(Response):
    """Relays while the client is there; whatever happens, the exchange ends with an outcome."""

    def __init__(self, gateway: Gateway, call: Call, arms: Arms, exchange: Exchange) -> None:
        self.gateway, self.call, self.exchange = gateway, call, exchange
        self.attempt = Attempt(gateway, call, arms, exchange)
        self.said = headers(arms, exchange.arm, call)
        self.status_code, self.background = 200, None
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.create_task(self.relay(send))
        gone = asyncio.create_task(hung_up(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.exchange.hang_up()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
            self.exchange.hang_up()  # counts only what has not ended: the server itself was cancelled
        if work.done() and not work.cancelled() and (error := work.exception()):
            raise error

    async def relay(self, send: Send) -> None:
        """The one place where a failed attempt is decided: nothing sent yet, or a stream that must say so."""
        try:
            async with self.attempt.reply() as reply:
                await (self.stream(reply, send) if self.streams(reply) else self.whole(reply, send))
        except EngineFault as fault:
            self.exchange.end(fault.outcome)
            if self.started:
                await send(body(fault.event, more=False))
            else:
                await self.refuse(fault, send)
        except Exception:
            self.exchange.end("stream_error")  # an answer that we cannot read is the engine's failure
            raise

    def streams(self, reply: Reply) -> bool:
        return self.call.stream and reply.status == 200

    async def stream(self, reply: Reply, send: Send) -> None:
        frames = self.attempt.frames(reply)
        async for part in frames:
            if not self.started:
                await self.start(send, 200, reply.content_type + "; charset=utf-8")
            await send(body(part, more=True))
        if not self.started:
            raise EngineFault("stream_truncated", "the engine sent an empty stream")
        await send(body(b"", more=False))

    async def whole(self, reply: Reply, send: Send) -> None:
        content = await self.attempt.whole(reply)
        await self.start(send, reply.status, "application/json", len(content))
        await send(body(content, more=False))

    async def refuse(self, fault: ApiError, send: Send) -> None:
        content = json.dumps(fault.document).encode()
        self.said["x-sluice-outcome"] = fault.code
        await self.start(send, fault.status, "application/json", len(content))
        await send(body(content, more=False))

    async def start(self, send: Send, status: int, kind: str, length: int | None = None) -> None:
        self.started = True
        said: dict[str, Any] = {**self.said, "content-type": kind}
        if length is not None:
            said["content-length"] = str(length)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in said.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})


def body(content: bytes, more: bool) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def hung_up(receive: Receive) -> None:
    """Returns when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
