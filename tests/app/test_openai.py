"""The official client, unchanged, against the lab's fake engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import openai
import pytest
from aiohttp import web

from app.settings import Settings
from lab import engine as fake

NOBODY = "http://127.0.0.1:1"
ASKED: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
async def url(door: Any, canary: Any) -> AsyncIterator[str]:
    """The gateway's, in front of the fake engine."""
    runner = web.AppRunner(fake.create_app(fake.Settings(model="tiny", ttft_ms=1, itl_ms=1)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    door.gateway.board.show(type(door.gateway.arms)("n/llm", "v1-r1", "v1", False, 0, (f"http://127.0.0.1:{port}",)))
    yield door.url + "/v1"
    await runner.cleanup()


@pytest.fixture
def client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=1)


async def test_chat_whole_and_streamed_say_the_same(client: openai.AsyncOpenAI, door: Any) -> None:
    whole = await client.chat.completions.create(**ASKED)
    stream = await client.chat.completions.create(**ASKED, stream=True)
    parts = [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert whole.usage is not None
    assert whole.usage.completion_tokens == 16
    assert "".join(parts) == whole.choices[0].message.content
    assert door.outcomes() == {"ok": 2}


async def test_usage_comes_to_who_asks_for_it(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
    last = [chunk async for chunk in stream][-1]

    assert last.usage is not None
    assert (last.choices, last.usage.completion_tokens) == ([], 16)


async def test_completions_and_models(client: openai.AsyncOpenAI) -> None:
    said = await client.completions.create(model="tiny", prompt="hello", max_tokens=3)

    assert said.choices[0].finish_reason == "length"
    assert [model.id async for model in client.models.list()] == ["tiny"]
    assert (await client.models.retrieve("tiny")).id == "tiny"


async def test_the_synchronous_client_works_too(url: str) -> None:
    def ask() -> tuple[str, str]:
        with openai.OpenAI(base_url=url, api_key="any") as client:
            whole = client.chat.completions.create(**ASKED).choices[0].message.content or ""
            stream = client.chat.completions.create(**ASKED, stream=True)
            return whole, "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    whole, streamed = await asyncio.to_thread(ask)
    assert whole == streamed != ""


async def test_errors_are_its_own_exceptions(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(**{**ASKED, "model": "other"})
    with pytest.raises(openai.BadRequestError) as wrong:
        await client.chat.completions.create(**ASKED, n=10**6)

    assert (missing.value.code, wrong.value.param) == ("model_not_found", "n")


def first(door: Any, moment: str) -> None:
    """The first request comes in a bad moment, the next in a good one."""
    gateway, found = door.gateway, [moment]
    lost = {"no engine": None, "dead engine": replace(gateway.board.arms, stable=(NOBODY,))}

    def spoil() -> None:
        now = found.pop() if found else "good"
        if now == "busy":
            gateway.slots.most = 0
        if now in lost:
            gateway.board.arms = lost[now]
        if now == "lost connection":
            for connection in list(door.server.server_state.connections):
                connection.transport.abort()

    door.each_time(spoil)


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
@pytest.mark.parametrize(
    ("moment", "outcome"),
    [
        ("busy", "rejected"),
        ("no engine", "rejected"),
        ("dead engine", "connect_error"),
        ("lost connection", "client_cancel"),
    ],
)
async def test_its_retries_outlast_a_bad_moment(
    door: Any, url: str, moment: str, outcome: str, kind: type[openai.OpenAI | openai.AsyncOpenAI]
) -> None:
    first(door, moment)
    client = kind(base_url=url, api_key="any", max_retries=1)
    if isinstance(client, openai.AsyncOpenAI):
        said = await client.chat.completions.with_raw_response.create(**ASKED)
        await client.close()
    else:
        said = await asyncio.to_thread(client.chat.completions.with_raw_response.create, **ASKED)
        client.close()

    assert said.retries_taken == 1
    assert json.loads(said.content)["choices"]
    assert door.outcomes() == {outcome: 1, "ok": 1}


async def test_embeddings_and_responses_of_an_engine_that_has_them(door: Any, settings: Settings) -> None:
    async with openai.AsyncOpenAI(base_url=door.url + "/v1", api_key="any") as client:
        vectors = await client.embeddings.create(model="tiny", input="hello", encoding_format="float")
        events = [event.type async for event in await client.responses.create(model="tiny", input="hello", stream=True)]

    assert vectors.data[0].embedding == [0.1, 0.2]
    assert events[-1] == "response.completed"
