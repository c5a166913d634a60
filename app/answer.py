"""The answer to one generation, as an ASGI response that notices at once when its client goes away."""

import asyncio
import functools
import json
import time
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.admission import Admitted
from app.cycle import CLIENT
from app.errors import ApiError, Blocked, Busy, EngineFault, Refusal
from app.gateway import DRAINED, Header, headers
from app.relay import Opened
from app.rescue import Rescue

LEFT = "left"  # why an answer was cancelled: its client has gone away


class Answer(Response):
    """Relays while the client is there; whatever happens, the exchange ends with an outcome."""

    def __init__(self, admitted: Admitted) -> None:
        self.gateway, self.call, self.arms, self.exchange = admitted
        self.rescue = Rescue(*admitted)
        self.status_code, self.background = 200, None
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay in the request's own task, which a client that goes away cancels, and so does the end of a drain."""
        work, client = current_task(self.gateway.pool.loop), scope[CLIENT]
        self.gateway.unfinished.add(work)
        client.watch(functools.partial(work.cancel, LEFT))
        try:
            await self.relay(send)
        except asyncio.CancelledError as cancelled:
            client.leave = None
            if not {LEFT, DRAINED} & set(cancelled.args):
                raise
            work.uncancel()
            if DRAINED in cancelled.args:
                await self.stop(send)
        finally:
            client.leave = None  # from now on it matters to nobody whether the client is there
            self.gateway.unfinished.discard(work)
            self.exchange.hang_up()  # counts only what has not ended

    async def relay(self, send: Send) -> None:
        """Nothing is sent before an answer has begun; from then on a failure is an event of the stream."""
        try:
            async with self.rescue as opened:
                await self.pass_on(opened, send)
        except (EngineFault, Refusal) as fault:
            self.exchange.end(fault.outcome)
            await self.fail(fault, send)
        except Blocked as blocked:
            await self.fail(blocked, send)
        except Exception:
            self.exchange.end("stream_error")  # an answer that we cannot read is the engine's failure
            raise

    async def pass_on(self, opened: Opened, send: Send) -> None:
        # what is left of a client's wait is the gateway's own doing: its releases are judged by that
        timing = (b"server-timing", b"engine;dur=%.2f" % (1000 * opened.took))
        if opened.rest is None:
            await self.start(send, 200, opened.kind, timing, length=len(opened.first))
            await send(body(opened.first, more=False))
            return
        await self.start(send, 200, opened.kind, timing)
        await self.give(opened.first, send)
        async for part in opened.rest:
            await self.give(part, send)
        await send(body(b"", more=False))

    async def give(self, part: bytes, send: Send) -> None:
        """Send a part; a client that does not read has us wait, which is none of its engine's time."""
        began = time.perf_counter()
        await send(body(part, more=True))
        self.exchange.unread += time.perf_counter() - began

    async def stop(self, send: Send) -> None:
        """The answer outlasted the time to drain: no engine is to blame, and its client may ask another gateway."""
        self.exchange.end("rejected")
        await self.fail(Busy(503, "shutting_down", "this gateway is going away: send the request again"), send)

    async def fail(self, error: ApiError, send: Send) -> None:
        if self.started:
            stream = self.rescue.asking.stream
            await send(body(stream.event(error) if stream else error.event, more=False))
            return
        content = json.dumps(error.document).encode()
        more = [(name.encode(), value.encode()) for name, value in error.headers.items()]
        await self.start(send, error.status, "application/json", *more, length=len(content))
        await send(body(content, more=False))

    async def start(self, send: Send, status: int, kind: str, *more: Header, length: int | None = None) -> None:
        self.started = True
        said = [*headers(self.arms, self.exchange, self.call), *more, (b"content-type", kind.encode("latin-1"))]
        if length is not None:
            said.append((b"content-length", b"%d" % length))
        await send({"type": "http.response.start", "status": status, "headers": said})


def body(content: bytes, more: bool) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def current_task(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any]:
    task = asyncio.current_task(loop)  # without its loop it asks the system which process this is
    assert task  # noqa: S101 - whoever awaits is in one
    return task


async def hung_up(receive: Receive) -> None:
    """Returns when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
