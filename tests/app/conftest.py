"""A real engine that can fail in every way, and a real gateway in front of it, both on loopback."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from app.arms import Arms
from app.gateway import Gateway
from app.main import create_app
from app.server import config
from app.settings import Settings
from tests.app.databases import Postgres

KEY = "probe-key"


def frame(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def delta(content: str, reason: str | None = None) -> bytes:
    return frame({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": reason}]})


USAGE = frame({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
DONE = b"data: [DONE]\n\n"


@dataclass
class Engine:
    """Does what `mode` says; knows what it was asked, and whose requests were taken away from it."""

    mode: str = "good"
    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    running: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(json.loads(await request.read()))
        self.headers.append(dict(request.headers))
        self.running += 1
        try:
            return await self.answered(request)
        finally:
            self.running -= 1

    async def answered(self, request: web.Request) -> web.StreamResponse:
        if self.mode == "500":
            return web.json_response({"error": "broken"}, status=500)
        if self.mode == "400":
            return web.json_response({"error": {"message": "too long", "type": "invalid_request_error"}}, status=400)
        if self.mode == "detail":
            return web.json_response({"detail": "Not Found"}, status=404)
        if self.mode == "echo":  # as engines do that tell which input they could not use
            said = json.dumps(self.asked[-1], ensure_ascii=False)
            return web.json_response(
                {"error": {"message": f"1 validation error: input {said}", "param": said}}, status=400
            )
        if self.mode == "hang":
            await asyncio.sleep(30)
        if request.path == "/v1/embeddings":
            vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
            return web.json_response({"object": "list", "data": [vector], "usage": {"prompt_tokens": 3}})
        if request.path == "/v1/responses":
            return await self.responded(request)
        if not self.asked[-1].get("stream"):
            if self.mode == "whole_stall":
                reply = web.StreamResponse(headers={"content-type": "application/json"})
                await reply.prepare(request)
                await reply.write(b'{"choices": [')
                await asyncio.sleep(30)
            if self.mode == "odd":
                return web.json_response({"choices": [1]})
            reason = "abort" if self.mode == "abort" else "stop"
            text = {"empty": "", "large": "x" * 20_000}.get(self.mode, "two words")
            choice = {"index": 0, "text": text, "message": {"content": text}, "finish_reason": reason}
            return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
        return await self.streamed(request)

    async def responded(self, request: web.Request) -> web.StreamResponse:
        message = {"type": "message", "content": [{"type": "output_text", "text": "two words"}]}
        usage = {"input_tokens": 3, "output_tokens": 2}
        document = {"id": "resp_1", "object": "response", "status": "completed", "output": [message], "usage": usage}
        if not self.asked[-1].get("stream"):
            return web.json_response(document)
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        for event in (
            {"type": "response.created"},
            {"type": "response.output_text.delta", "delta": "two words"},
            {"type": "response.failed" if self.mode == "failed" else "response.completed", "response": document},
        ):
            if self.mode == "stall" and "response" in event:
                await asyncio.sleep(30)
            await reply.write(b"event: " + str(event["type"]).encode() + b"\n" + frame(event))
        return reply

    async def streamed(self, request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await reply.prepare(request)
        if self.mode.startswith("role"):
            await reply.write(delta(""))
        while self.mode == "role_forever":
            await reply.write(delta("") * 100)
        if self.mode == "large":
            await reply.write(b'data: {"choices": [{"index": 0, "delta": {"content": "' + b"x" * 20_000)
            await asyncio.sleep(30)
        if self.mode.endswith("half"):
            await reply.write((b"" if self.mode == "half" else delta("two ")) + b'data: {"choices": [{"ind')
            return reply
        if self.mode.endswith("silent"):
            await asyncio.sleep(30)
        if self.mode == "error_first":
            await reply.write(frame({"error": {"message": "out of memory"}}))
        if self.mode == "role_then_cut" and request.transport is not None:
            request.transport.close()
            return reply
        if self.mode == "thinking":
            await reply.write(frame({"choices": [{"index": 0, "delta": {"reasoning_content": "well"}}]}))
            await asyncio.sleep(30)
        await reply.write(delta("two " if self.mode != "empty" else ""))
        while self.mode == "trickle":
            await asyncio.sleep(0.02)
            await reply.write(delta("word "))
        while self.mode == "flood":
            await reply.write(delta("word " * 1000))
        if self.mode == "slow":
            await asyncio.sleep(0.2)
        if self.mode == "stall":
            await asyncio.sleep(30)
        if self.mode == "cut" and request.transport is not None:
            request.transport.close()
            return reply
        if self.mode == "error":
            await asyncio.sleep(0.05)
            await reply.write(frame({"error": {"message": "out of memory"}}))
        if self.mode == "odd":
            await reply.write(frame({"choices": [1]}))
        await reply.write(delta("words" if self.mode != "empty" else "", "abort" if self.mode == "abort" else "stop"))
        await reply.write(USAGE)
        if self.mode != "no_done":
            await reply.write(DONE)
        if self.mode == "linger":
            await asyncio.sleep(30)
        return reply


@pytest.fixture
def serve() -> Callable[[], AbstractAsyncContextManager[Engine]]:
    """Another engine for as long as the block runs."""
    return lambda: serving(Engine())


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    one = Engine()
    async with serving(one):
        yield one


@asynccontextmanager
async def serving(one: Engine) -> AsyncIterator[Engine]:
    app = web.Application()
    app.router.add_post("/{path:.*}", one.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", one.port)
    await site.start()
    one.port = runner.addresses[0][1]
    try:
        yield one
    finally:
        await runner.cleanup()


@dataclass
class Door:
    """A served gateway: its parts, and a client that talks to it over HTTP."""

    url: str
    gateway: Gateway
    session: aiohttp.ClientSession
    server: uvicorn.Server

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.url + path, json=body, headers=named) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, await reply.read()

    async def get(self, path: str) -> tuple[int, bytes]:
        async with self.session.get(self.url + path) as reply:
            return reply.status, await reply.read()

    def count(self, name: str, **labels: str) -> float:
        """The sum of a metric's children with these labels."""
        found = 0.0
        for metric in self.gateway.metrics.registry.collect():
            for sample in metric.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    found += sample.value
        return found

    def each_time(self, spoil: Callable[[], None]) -> None:
        """Whenever a generation is to be placed, `spoil` what the gateway knows; it is well again right after."""
        gateway = self.gateway
        place, arms, most = gateway.place, gateway.board.arms, gateway.slots.most

        def placed(*given: Any) -> Any:
            try:
                spoil()
                gateway.slots.look(None)
                return place(*given)
            finally:
                gateway.board.arms, gateway.slots.most = arms, most

        gateway.place = placed  # type: ignore[method-assign]

    def outcomes(self, **labels: str) -> dict[str, float]:
        """Numbers of ended requests by outcome, those at 0 left out."""
        names = {s.labels["outcome"] for m in self.gateway.metrics.requests.collect() for s in m.samples}
        counted = {name: self.count("sluice_requests_total", outcome=name, **labels) for name in names}
        return {name: number for name, number in counted.items() if number}


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Door]:
    app = create_app(settings)
    settings.port = 0
    made = config(app, settings, host="127.0.0.1")
    made.loop, made.timeout_graceful_shutdown = "asyncio", 1  # the test's own; what hangs is not waited for
    server = uvicorn.Server(made)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with aiohttp.ClientSession() as session:
        yield Door(f"http://127.0.0.1:{port}", app.state.gateway, session, server)
    server.should_exit = True  # never by force: the application would not end what it began
    await running
    assert app.state.gateway.room.taken == 0, "a request has ended and still holds bytes"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    server = Postgres(folder)
    server.create()
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/feedback.db"
    found: str = request.getfixturevalue("postgres").url
    return found


@pytest.fixture
def settings(engine: Engine, tmp_path: Any) -> Settings:
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    return Settings(
        stable_urls=engine.url,
        model_name="tiny",
        probe_key_file=key,
        first_token_seconds=1,
        idle_seconds=0.5,
        total_seconds=5,
        max_body_bytes=10_000,
        forget_seconds=0,
    )


@pytest.fixture
async def door(settings: Settings) -> AsyncIterator[Door]:
    async with opened(settings) as found:
        yield found


@pytest.fixture
def canary(engine: Engine) -> Callable[[float], Arms]:
    """A release in progress whose canary is the same engine."""
    return lambda weight: Arms("n/llm", "v2-r2", "v2", True, weight, (engine.url,), (engine.url,))
