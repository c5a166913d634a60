from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab import engine, fault
from quality import answers

ASKED: dict[str, Any] = {"prompt": "say something", "max_tokens": 6}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
        yield session


async def asked(session: aiohttp.ClientSession, plan: str, *, stream: bool) -> answers.Answer:
    real = TestServer(engine.create_app(engine.Settings(ttft_ms=1, itl_ms=1)))
    async with real:
        proxy = fault.create_app(str(real.make_url("/")), fault.plan_of(plan))
        async with TestServer(proxy, handler_cancellation=True) as server:
            url = str(server.make_url("/v1/completions"))
            return await answers.asked(session, url, {**ASKED, "stream": stream}, {"x-request-id": "r1"})


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("plan", "whole", "streamed"),
    [
        ("[]", "ok", "ok"),
        ('[{"do": "http_500"}]', "upstream_5xx", "upstream_5xx"),
        ('[{"do": "cut"}]', "stream_truncated", "stream_truncated"),
        ('[{"do": "no_done"}]', "ok", "stream_truncated"),
        ('[{"do": "hang"}]', "timeout_ttft", "timeout_ttft"),
        ('[{"do": "hang", "seconds": 0.1}]', "connect_error", "connect_error"),
        ('[{"do": "gibberish"}]', "ok", "ok"),
    ],
)
async def test_each_fault_has_its_word(
    session: aiohttp.ClientSession, plan: str, whole: str, streamed: str, stream: bool
) -> None:
    answer = await asked(session, plan, stream=stream)
    assert answer.outcome == (streamed if stream else whole)


async def test_streamed_or_not_the_text_is_the_same(session: aiohttp.ClientSession) -> None:
    whole, streamed = await asked(session, "[]", stream=False), await asked(session, "[]", stream=True)
    assert whole.text == streamed.text != ""
    assert streamed.first is not None


async def test_silence_after_the_first_word_is_idle(session: aiohttp.ClientSession) -> None:
    async with TestServer(engine.create_app(engine.Settings(itl_ms=60_000)), handler_cancellation=True) as server:
        url = str(server.make_url("/v1/completions"))
        answer = await answers.asked(session, url, {**ASKED, "stream": True}, {})
    assert answer.outcome == "timeout_idle"


@pytest.mark.parametrize("body", ["[]", "not json", '{"error": "text"}', '{"choices": [1]}'])
async def test_an_answer_in_no_known_shape_is_an_outcome_and_no_crash(
    session: aiohttp.ClientSession, body: str
) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=body, status=int(request.query["status"]))

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app) as server:
        for status, outcome in ((200, "stream_truncated"), (500, "upstream_5xx")):
            answer = await answers.asked(session, str(server.make_url(f"/?status={status}")), ASKED, {})
            assert (answer.outcome, answer.code) == (outcome, "")


async def test_the_code_of_an_openai_error_is_kept(session: aiohttp.ClientSession) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no", "code": "no_canary"}}, status=409)

    app = web.Application()
    app.router.add_post("/", handle)
    async with TestServer(app) as server:
        answer = await answers.asked(session, str(server.make_url("/")), ASKED, {})
    assert (answer.status, answer.code, answer.outcome) == (409, "no_canary", "client_4xx")
