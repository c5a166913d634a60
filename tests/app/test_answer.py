import asyncio
import time
from typing import Any

import aiohttp
import pytest

CHAT = "/v1/chat/completions"
ASKED = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "stream": True}


async def test_a_client_that_leaves_right_after_done_had_a_good_answer(door: Any, engine: Any) -> None:
    engine.mode = "linger"
    async with aiohttp.ClientSession() as session, session.post(door.url + CHAT, json=ASKED) as reply:
        async with asyncio.timeout(2):
            await reply.content.readuntil(b"[DONE]\n\n")
    await asyncio.sleep(0.1)

    assert door.outcomes() == {"ok": 1}
    assert engine.running == 0


async def test_an_engine_that_stays_after_done_gave_a_good_answer_without_an_error_event(
    door: Any, engine: Any
) -> None:
    engine.mode = "linger"

    _, _, body = await door.post(CHAT, ASKED)

    assert door.outcomes() == {"ok": 1}
    assert body.endswith(b"data: [DONE]\n\n")


async def test_a_stream_of_no_known_shape_is_the_engines_fault(door: Any, engine: Any) -> None:
    engine.mode = "odd"

    await door.post(CHAT, ASKED)
    await door.post(CHAT, {**ASKED, "stream": False})

    assert door.outcomes() == {"stream_error": 2}


async def test_many_clients_at_once_each_end_once(door: Any) -> None:
    await asyncio.gather(*(door.post(CHAT, ASKED) for _ in range(20)))

    assert door.outcomes() == {"ok": 20}
    assert door.count("sluice_inflight_requests") == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_says_how_long_the_engine_was_waited_for(door: Any, stream: bool) -> None:
    began = time.perf_counter()
    _, headers, _ = await door.post(CHAT, {**ASKED, "stream": stream})

    said = headers["server-timing"]
    assert said.startswith("engine;dur=")
    assert 0 < float(said.partition("=")[2]) < 1000 * (time.perf_counter() - began)
