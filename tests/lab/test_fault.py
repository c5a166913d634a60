import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab import engine, fault

USER = {"x-sluice-source": "user", "x-sluice-step": "5", "x-request-id": "r1"}
ASKED: dict[str, Any] = {"prompt": "say something", "max_tokens": 6}
STREAMED: dict[str, Any] = {**ASKED, "stream": True}


@pytest.fixture
async def real() -> AsyncIterator[TestServer]:
    async with TestServer(engine.create_app(engine.Settings(ttft_ms=1, itl_ms=1))) as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


def behind(real: TestServer, *plan: dict[str, Any]) -> TestServer:
    app = fault.create_app(str(real.make_url("/")), fault.plan_of(json.dumps(plan)))
    return TestServer(app, skip_url_asserts=True)


async def lines(reply: aiohttp.ClientResponse) -> list[bytes]:
    return [line.strip() async for line in reply.content if line.strip()]


async def test_what_no_fault_matches_passes_byte_for_byte(real: TestServer, client: aiohttp.ClientSession) -> None:
    async with behind(real, {"when": {"source": "user"}, "do": "http_500"}) as proxy:
        for path in ("/health", "/metrics", "/version", "/v1/models", "/nothing/here"):
            there, here = await client.get(real.make_url(path)), await client.get(proxy.make_url(path))
            assert here.status == there.status
            assert here.headers.get("content-type") == there.headers.get("content-type")
            assert await here.read() == await there.read()


async def test_a_stream_passes_with_its_query_headers_and_every_byte(client: aiohttp.ClientSession) -> None:
    seen: dict[str, Any] = {}

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.update(body=await request.read(), path=request.raw_path, headers=dict(request.headers))
        reply = web.StreamResponse(headers={"x-of-engine": "1"})
        await reply.prepare(request)
        for part in (b"\x00\xff", "半".encode()[:2], b"\r\n\r\n"):
            await reply.write(part)
        return reply

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    async with TestServer(app) as odd, behind(odd) as proxy:
        reply = await client.post(proxy.make_url("/v1/a%2Fb?c=d%20e"), data=b"\x01\x02", headers={"x-of-client": "2"})
        assert await reply.read() == b"\x00\xff" + "半".encode()[:2] + b"\r\n\r\n"
        assert reply.headers["x-of-engine"] == "1"
    assert seen["body"] == b"\x01\x02"
    assert seen["headers"]["x-of-client"] == "2"
    assert seen["path"].endswith("c=d%20e")


async def test_http_500_comes_before_the_first_byte_and_openai_shaped(
    real: TestServer, client: aiohttp.ClientSession
) -> None:
    async with behind(real, {"do": "http_500"}) as proxy:
        reply = await client.post(proxy.make_url("/v1/completions"), json=ASKED)
        assert reply.status == 500
        assert (await reply.json())["error"]["code"] == 500


@pytest.mark.parametrize(
    ("headers", "hit"),
    [
        (USER, True),
        (USER | {"x-sluice-step": "25"}, True),
        (USER | {"x-sluice-step": "1"}, False),
        (USER | {"x-sluice-source": "probe"}, False),
        ({"x-sluice-source": "user"}, False),
        ({}, False),
    ],
)
async def test_a_fault_hits_only_its_source_from_its_step_on(
    real: TestServer, client: aiohttp.ClientSession, headers: dict[str, str], hit: bool
) -> None:
    when = {"source": "user", "step_at_least": 5}
    async with behind(real, {"when": when, "do": "http_500"}) as proxy:
        reply = await client.post(proxy.make_url("/v1/completions"), json=ASKED, headers=headers)
        assert (reply.status == 500) is hit


def test_a_share_is_of_requests_and_the_same_request_is_always_on_one_side() -> None:
    half = fault.plan_of('[{"share": 0.5, "do": "hang"}]')[0]
    sides = [half.meant_for({"x-request-id": f"r{i}"}, b"", 0) for i in range(2000)]
    assert sides == [half.meant_for({"x-request-id": f"r{i}"}, b"", 0) for i in range(2000)]
    assert 900 < sum(sides) < 1100


async def test_a_fault_can_wait_for_a_prompt(real: TestServer, client: aiohttp.ClientSession) -> None:
    async with behind(real, {"when": {"prompt": "no answer"}, "do": "http_500"}) as proxy:
        for prompt, hit in (("is there no answer?", True), ("is there an answer?", False)):
            reply = await client.post(proxy.make_url("/v1/completions"), json=ASKED | {"prompt": prompt})
            assert (reply.status == 500) is hit


async def test_hang_says_nothing_for_its_seconds_and_then_breaks(
    real: TestServer, client: aiohttp.ClientSession
) -> None:
    async with behind(real, {"do": "hang", "seconds": 0.3}) as proxy:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await client.post(proxy.make_url("/v1/completions"), json=ASKED)
        assert (await client.get(proxy.make_url("/health"))).status == 200


async def test_slow_answers_right_but_late(real: TestServer, client: aiohttp.ClientSession) -> None:
    async with behind(real, {"do": "slow", "seconds": 0.3}) as proxy:
        before = time.monotonic()
        reply = await client.post(proxy.make_url("/v1/completions"), json=ASKED)
        assert (await reply.json())["usage"]["completion_tokens"] == 6
        assert time.monotonic() - before >= 0.3


async def test_cut_breaks_a_stream_after_its_first_frames(real: TestServer, client: aiohttp.ClientSession) -> None:
    async with behind(real, {"do": "cut"}) as proxy:
        reply = await client.post(proxy.make_url("/v1/completions"), json=STREAMED)
        assert reply.status == 200
        assert (await reply.content.readline()).startswith(b"data: {")
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.read()


async def test_cut_breaks_a_whole_answer_in_the_middle(real: TestServer, client: aiohttp.ClientSession) -> None:
    async with behind(real, {"do": "cut"}) as proxy:
        with pytest.raises(aiohttp.ClientPayloadError):
            await (await client.post(proxy.make_url("/v1/completions"), json=ASKED)).read()


async def test_no_done_ends_a_stream_cleanly_without_its_last_line(
    real: TestServer, client: aiohttp.ClientSession
) -> None:
    async with behind(real, {"do": "no_done"}) as proxy:
        got = await lines(await client.post(proxy.make_url("/v1/completions"), json=STREAMED))
    assert len(got) == 6
    assert b"data: [DONE]" not in got


@pytest.mark.parametrize("asked", [ASKED, STREAMED])
async def test_gibberish_replaces_the_words_and_keeps_the_shape(
    real: TestServer, client: aiohttp.ClientSession, asked: dict[str, Any]
) -> None:
    async with behind(real, {"do": "gibberish"}) as proxy:
        got = await lines(await client.post(proxy.make_url("/v1/completions"), json=asked))
    frames = [json.loads(line.removeprefix(b"data: ")) for line in got if line != b"data: [DONE]"]
    assert {frame["choices"][0]["text"] for frame in frames} == {"\ufffd!!!!"}


async def test_an_engine_that_is_away_is_a_502(client: aiohttp.ClientSession) -> None:
    async with TestServer(fault.create_app("http://127.0.0.1:1", [])) as proxy:
        assert (await client.get(proxy.make_url("/health"))).status == 502


async def test_a_hang_up_reaches_the_engine(client: aiohttp.ClientSession) -> None:
    slow = engine.create_app(engine.Settings(itl_ms=50, tokens=400))
    async with TestServer(slow, handler_cancellation=True) as real:  # noqa: SIM117
        async with TestServer(fault.create_app(str(real.make_url("/")), []), handler_cancellation=True) as proxy:
            reply = await client.post(proxy.make_url("/v1/completions"), json={**STREAMED, "max_tokens": 400})
            await reply.content.readline()
            reply.close()
            await asyncio.sleep(0.5)
            text = await (await client.get(real.make_url("/metrics"))).text()
    assert 'vllm:num_requests_running{engine="0",model_name="sluice-tiny"} 0.0' in text


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ("[{", "not JSON"),
        ("{}", "not a list"),
        ("[1]", "not an object"),
        ('[{"when": 1, "do": "hang"}]', "not an object"),
        ('[{"do": "explode"}]', "'explode' is none of"),
        ('[{"do": "hang", "sometimes": 1}]', "unknown key sometimes"),
        ('[{"do": "hang", "when": {"user": 1}}]', "unknown key when.user"),
        ('[{"do": "hang", "when": {"source": "me"}}]', "'me' is none of"),
        ('[{"do": "hang", "share": 1.5}]', "not between 0 and 1"),
        ('[{"do": "hang", "seconds": -1}]', "negative"),
        ('[{"share": 0.5}]', "do"),
        ('[{"do": "hang", "share": "half"}]', "share"),
        ('[{"do": "hang", "when": {"step_at_least": "five"}}]', "step_at_least"),
        ('[{"do": "hang", "when": {"prompt": 5}}]', "when.prompt: 5 is not a text"),
    ],
)
def test_a_plan_that_is_not_understood_is_refused(plan: str, why: str) -> None:
    with pytest.raises(fault.PlanError, match=why):
        fault.plan_of(plan)


def test_a_refused_plan_is_one_line_and_no_proxy() -> None:
    env = os.environ | {"SLUICE_FAULTS": '[{"do": "hang", "often": 1}]'}
    ran = subprocess.run([sys.executable, "-m", "lab.fault"], env=env, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 1
    assert ran.stderr == "SLUICE_FAULTS is refused: unknown key often\n"
