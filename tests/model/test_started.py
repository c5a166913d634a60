import asyncio
import os
import subprocess
import sys

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from lab import engine


async def started(port: int, seconds: str = "5", **more: str) -> tuple[int | None, str]:
    env = os.environ | {"SLUICE_ENGINE_PORT": str(port), "SLUICE_STARTED_SECONDS": seconds} | more
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "model.started", env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(ran.communicate(), 20)
    assert err == b""
    return ran.returncode, out.decode()


def answering(status: int, body: object) -> TestServer:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_post("/v1/completions", handle)
    return TestServer(app)


async def test_an_engine_that_generates_has_started() -> None:
    async with TestServer(engine.create_app(engine.Settings())) as server:
        assert await started(server.port or 0) == (0, "started\n")


@pytest.mark.parametrize(("more", "lengths"), [({}, [16, 16, 16, 1]), ({"REQUESTS": "2", "TOKENS": "64"}, [64, 64, 1])])
async def test_it_warms_up_as_it_is_told_before_the_token_that_counts(more: dict[str, str], lengths: list[int]) -> None:
    asked = []

    async def handle(request: web.Request) -> web.Response:
        asked.append((await request.json())["max_tokens"])
        return web.json_response({"usage": {"completion_tokens": asked[-1]}})

    async def chat(request: web.Request) -> web.Response:
        chats.append(await request.json())
        return web.Response(status=404, text="this model has no chat template")

    chats: list[dict[str, object]] = []
    app = web.Application()
    app.router.add_post("/v1/completions", handle)
    app.router.add_post("/v1/chat/completions", chat)
    async with TestServer(app) as server:
        told = {f"SLUICE_WARM_UP_{name}": value for name, value in more.items()}
        assert await started(server.port or 0, **told) == (0, "started\n")
    assert asked == lengths
    assert [(one["max_tokens"], one["stream"]) for one in chats] == [(length, True) for length in lengths[:-1]]


async def test_a_number_that_is_none_is_told_in_one_line() -> None:
    code, said = await started(unused_port(), SLUICE_WARM_UP_TOKENS="many")
    assert (code, said.count("\n"), "SLUICE_WARM_UP_TOKENS" in said) == (1, 1, True)


async def test_nobody_listening_is_not_started() -> None:
    code, said = await started(unused_port())
    assert code == 1
    assert said.startswith("not started: ConnectionRefusedError")
    assert said.count("\n") == 1


async def test_an_engine_that_answers_errors_has_not_started() -> None:
    async with answering(503, {"error": {}}) as server:
        assert await started(server.port or 0) == (1, "not started: status 503\n")


async def test_an_answer_without_a_token_is_not_started() -> None:
    async with answering(200, {"usage": {"completion_tokens": 0}}) as server:
        assert await started(server.port or 0) == (1, "not started: no token came back\n")


async def test_an_engine_that_hangs_has_not_started() -> None:
    async with TestServer(engine.create_app(engine.Settings(ttft_ms=60_000))) as server:
        code, said = await started(server.port or 0, seconds="0.3")
    assert (code, said.startswith("not started: TimeoutError")) == (1, True)
