"""A proxy between gateway and engine that makes the faults of a plan, and passes everything else on untouched."""

import asyncio
import hashlib
import json
import os
import re
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

Body = Callable[[aiohttp.ClientResponse], AsyncIterator[bytes]]

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "host"}
KEEP_ALIVE_SECONDS = 2  # an engine closes an idle connection after 5: never send on one so old
KINDS = ("http_500", "hang", "cut", "no_done", "gibberish", "slow")
SOURCES = ("user", "probe", "any")
GIBBERISH = rb'\g<1>"\\ufffd!!!!"'  # what NaN logits look like, as JSON
TEXT = re.compile(rb'("(?:content|text)":\s*)"((?:[^"\\]|\\.)+)"')


class PlanError(ValueError):
    pass


@dataclass(frozen=True)
class Fault:
    do: str
    source: str = "any"
    step_at_least: int | None = None
    prompt: str = ""  # only requests whose body holds this text
    share: float = 1.0
    seconds: float | None = None  # how long slow waits and hang holds on

    def __post_init__(self) -> None:
        if self.do not in KINDS:
            raise PlanError(f"do: {self.do!r} is none of {', '.join(KINDS)}")
        if self.source not in SOURCES:
            raise PlanError(f"when.source: {self.source!r} is none of {', '.join(SOURCES)}")
        if not isinstance(self.prompt, str):
            raise PlanError(f"when.prompt: {self.prompt!r} is not a text")
        for name in ("share", "seconds", "step_at_least"):
            if not isinstance(getattr(self, name), int | float | None):
                raise PlanError(f"{name}: {getattr(self, name)!r} is not a number")
        if not 0 <= self.share <= 1:
            raise PlanError(f"share: {self.share} is not between 0 and 1")
        if self.seconds is not None and self.seconds < 0:
            raise PlanError(f"seconds: {self.seconds} is negative")

    def meant_for(self, headers: Mapping[str, str], body: bytes, where: int) -> bool:
        asked = self.prompt.encode() in body
        return asked and self.in_source(headers) and self.in_step(headers) and self.in_share(headers, where)

    def in_source(self, headers: Mapping[str, str]) -> bool:
        return self.source == "any" or headers.get("x-sluice-source") == self.source

    def in_step(self, headers: Mapping[str, str]) -> bool:
        if self.step_at_least is None:
            return True
        step = headers.get("x-sluice-step", "")
        return step.isdigit() and int(step) >= self.step_at_least

    def in_share(self, headers: Mapping[str, str], where: int) -> bool:
        """The same request id is always on the same side; faults of one plan are independent of each other."""
        name = headers.get("x-request-id") or uuid.uuid4().hex
        digest = hashlib.blake2b(f"{where}/{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64 < self.share


def fault_of(entry: Any) -> Fault:
    if not isinstance(entry, dict):
        raise PlanError(f"{entry!r} is not an object")
    when = entry.get("when", {})
    if not isinstance(when, dict):
        raise PlanError(f"when: {when!r} is not an object")
    unknown = {*entry} - {"when", "share", "do", "seconds"}
    unknown |= {f"when.{key}" for key in {*when} - {"source", "step_at_least", "prompt"}}
    if unknown:
        raise PlanError(f"unknown key {', '.join(sorted(unknown))}")
    given = {**when, **{key: entry[key] for key in entry if key != "when"}}
    try:
        return Fault(**given)
    except TypeError as error:
        raise PlanError(str(error)) from None


def plan_of(text: str) -> list[Fault]:
    """Read a plan as JSON; PlanError in one line for anything that is not understood."""
    try:
        entries = json.loads(text or "[]")
    except ValueError as error:
        raise PlanError(f"not JSON: {error}") from None
    if not isinstance(entries, list):
        raise PlanError("not a list")
    return [fault_of(entry) for entry in entries]


async def cut(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """A few frames of a stream, or half of a whole answer, and then the connection breaks."""
    if upstream.content_type != "text/event-stream":
        body = await upstream.read()
        yield body[: len(body) // 2]
    else:
        for _ in range(5):  # the opening, a first word and the blank lines after them
            yield await upstream.content.readline()
    raise ConnectionResetError("the plan cuts here")


async def no_done(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for line in upstream.content:
        if line.strip() != b"data: [DONE]":
            yield line


async def gibberish(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for line in upstream.content:
        yield TEXT.sub(GIBBERISH, line)


async def untouched(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for chunk in upstream.content.iter_any():
        yield chunk


BODIES = {"cut": cut, "no_done": no_done, "gibberish": gibberish}


def openai_error(status: int, message: str) -> web.Response:
    body = {"error": {"message": message, "type": "InternalServerError", "param": None, "code": status}}
    return web.json_response(body, status=status)


def hung_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


class Proxy:
    def __init__(self, target: str, plan: list[Fault], session: aiohttp.ClientSession) -> None:
        self.target = target.rstrip("/")
        self.plan = plan
        self.session = session

    async def fault_for(self, request: web.Request) -> Fault | None:
        if request.method != "POST":  # health, metrics and the model list stay true
            return None
        body = await request.read() if any(fault.prompt for fault in self.plan) else b""
        return next((f for i, f in enumerate(self.plan) if f.meant_for(request.headers, body, i)), None)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        fault = await self.fault_for(request)
        do = fault.do if fault else ""
        if do == "http_500":
            return openai_error(500, "made by the fault plan")
        if fault and do == "hang":
            await asyncio.sleep(3600 if fault.seconds is None else fault.seconds)
            hung_up(request)
            return web.Response(status=500)  # nobody is left to read it
        if fault and do == "slow":
            await asyncio.sleep(2 if fault.seconds is None else fault.seconds)
        return await self.relayed(request, BODIES.get(do))

    async def relayed(self, request: web.Request, body: Body | None) -> web.StreamResponse:
        url = URL(self.target + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        data = await request.read() if request.body_exists else None
        try:
            upstream = await self.session.request(
                request.method, url, headers=headers, data=data, allow_redirects=False
            )
        except aiohttp.ClientError as error:
            return openai_error(502, f"the engine behind the fault proxy does not answer: {type(error).__name__}")
        try:
            return await self.answered(request, upstream, body)
        finally:  # also on hang-up, so that the engine sees it too
            upstream.close()

    async def answered(
        self, request: web.Request, upstream: aiohttp.ClientResponse, body: Body | None
    ) -> web.StreamResponse:
        dropped = HOP_BY_HOP | ({"content-length"} if body in (gibberish, no_done) else set())
        headers = [(name, value) for name, value in upstream.headers.items() if name.lower() not in dropped]
        reply = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=CIMultiDict(headers))
        await reply.prepare(request)
        try:
            async for chunk in (body or untouched)(upstream):
                await reply.write(chunk)
        except (aiohttp.ClientError, ConnectionResetError):  # cut off there: cut off here
            hung_up(request)
        return reply


def create_app(target: str, plan: list[Fault]) -> web.Application:
    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            read_bufsize=2**20,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as session:
            proxy = Proxy(target, plan, session)
            app[PROXY] = proxy
            yield

    async def handle(request: web.Request) -> web.StreamResponse:
        return await request.app[PROXY].handle(request)

    app = web.Application(client_max_size=2**23)
    app.cleanup_ctx.append(lifespan)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


PROXY = web.AppKey("proxy", Proxy)


def main() -> None:
    try:
        plan = plan_of(os.environ.get("SLUICE_FAULTS", ""))
    except PlanError as error:
        sys.exit(f"SLUICE_FAULTS is refused: {error}")
    target = os.environ.get("SLUICE_FAULT_TARGET", "http://127.0.0.1:8000")
    port = int(os.environ.get("SLUICE_FAULT_PORT", "8001"))
    grace = float(os.environ.get("SLUICE_SHUTDOWN_SECONDS", "30"))
    app = create_app(target, plan)
    web.run_app(app, port=port, shutdown_timeout=grace, handler_cancellation=True, access_log=None)


if __name__ == "__main__":
    main()
