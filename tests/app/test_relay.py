import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import ANY

import aiohttp
import pytest

from app import fault
from app.baseline import WANTED

CHAT = "/v1/chat/completions"


async def until(what: Callable[[], bool]) -> bool:
    """Whether it becomes true within a second."""
    deadline = time.monotonic() + 1
    while not what() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return what()


def asked(stream: bool = True, **more: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "stream": stream, **more}


@pytest.fixture
def full() -> Iterator[str]:
    """An address whose queue of connections is full: one more gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for one in waiting:
            one.close()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_good_answer_is_relayed_and_counted_as_ok(door: Any, stream: bool) -> None:
    status, headers, body = await door.post(CHAT, asked(stream))

    assert status == 200
    assert b"two " in body
    assert (headers["x-sluice-arm"], headers["x-sluice-step"]) == ("stable", "100")
    assert door.outcomes() == {"ok": 1}
    assert door.count("sluice_tokens_total", direction="out") == 2


async def test_usage_is_asked_for_and_stripped_from_who_did_not_ask(door: Any, engine: Any) -> None:
    _, _, body = await door.post(CHAT, asked())
    _, _, told = await door.post(CHAT, asked(stream_options={"include_usage": True}))

    assert engine.asked[0]["stream_options"] == {"include_usage": True}
    assert b"usage" not in body
    assert b"usage" in told
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("mode", "stream", "status", "outcome"),
    [
        ("500", True, 502, "upstream_5xx"),
        ("500", False, 502, "upstream_5xx"),
        ("400", True, 400, "prompt"),
        ("400", False, 400, "prompt"),
        ("hang", True, 504, "timeout_ttft"),
        ("silent", True, 504, "timeout_ttft"),
        ("stall", True, 200, "timeout_idle"),
        ("cut", True, 200, "stream_truncated"),
        ("no_done", True, 200, "stream_truncated"),
        ("error", True, 200, "stream_error"),
        ("abort", True, 200, "engine_abort"),
        ("abort", False, 502, "engine_abort"),
    ],
)
async def test_every_way_to_fail_has_its_outcome(
    door: Any, engine: Any, mode: str, stream: bool, status: int, outcome: str
) -> None:
    engine.mode = mode

    seen, headers, _ = await door.post(CHAT, asked(stream))

    assert seen == status
    assert door.outcomes() == {outcome: 1}
    if status >= 500:
        assert headers["x-sluice-outcome"] == outcome


async def test_an_engine_that_is_not_there_is_a_connect_error(door: Any, canary: Any, engine: Any) -> None:
    arms = canary(100)
    door.gateway.board.show(type(arms)(**{**vars(arms), "canary": ("http://127.0.0.1:1",)}))

    door.gateway.budget.share = 0
    status, headers, _ = await door.post(CHAT, asked(), x_sluice_user="a")

    assert (status, headers["x-sluice-outcome"]) == (502, "connect_error")
    assert door.outcomes(arm="canary") == {"connect_error": 1}


async def test_an_engine_that_does_not_accept_is_a_connect_error(door: Any, canary: Any, full: str) -> None:
    arms = canary(100)
    door.gateway.pool.connect_seconds = 0.3
    door.gateway.board.show(type(arms)(**{**vars(arms), "canary": (full,)}))

    await door.post(CHAT, asked(), x_sluice_user="a")

    assert door.outcomes(arm="canary") == {"connect_error": 1}


@pytest.mark.parametrize("mode", ["cut", "some_and_half"])
async def test_a_fault_after_the_headers_is_an_error_event_and_no_finish_reason(
    door: Any, engine: Any, mode: str
) -> None:
    engine.mode = mode

    _, _, body = await door.post(CHAT, asked())

    last = json.loads(body.strip().split(b"\n\n")[-1].removeprefix(b"data: "))
    assert last["error"]["code"] == "stream_truncated"
    assert b"stop" not in body
    assert b"two " in body


async def test_half_a_frame_is_no_beginning(door: Any, engine: Any) -> None:
    engine.mode = "half"

    status, headers, _ = await door.post(CHAT, asked())

    assert (status, headers["x-sluice-outcome"]) == (502, "stream_truncated")


@pytest.mark.parametrize(("mode", "stream"), [("hang", True), ("silent", True), ("stall", True), ("hang", False)])
async def test_a_client_that_hangs_up_frees_the_engine_within_a_second(
    door: Any, engine: Any, mode: str, stream: bool
) -> None:
    engine.mode = mode
    door.gateway.settings.first_token_seconds = door.gateway.settings.idle_seconds = 20
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await door.post(CHAT, asked(stream))

    assert await until(lambda: engine.running == 0)
    assert await until(lambda: door.outcomes() == {"client_cancel": 1})


async def test_a_client_of_predict_that_hangs_up_frees_it_too(door: Any, engine: Any) -> None:
    engine.mode = "hang"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await door.post("/predict", {"prompt": "a"})

    assert await until(lambda: engine.running == 0)
    assert await until(lambda: door.outcomes() == {"client_cancel": 1})


async def test_prompt_and_key_of_the_client_do_not_reach_the_engines_headers(door: Any, engine: Any) -> None:
    await door.post(CHAT, asked(), authorization="Bearer secret", x_request_id="r-1", x_sluice_user="ann")

    sent = {name.lower(): value for name, value in engine.headers[0].items()}
    assert "authorization" not in sent
    assert (sent["x-request-id"], sent["x-sluice-source"], sent["x-sluice-step"]) == ("r-1", "user", "100")


async def test_a_stream_arrives_while_it_is_made(door: Any, engine: Any) -> None:
    engine.mode = "stall"
    async with aiohttp.ClientSession() as session, session.post(door.url + CHAT, json=asked()) as reply:
        async with asyncio.timeout(0.4):
            first = await reply.content.readuntil(b"\n\n")
        assert b"two " in first


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_outlasts_the_drain_counts_as_rejected(door: Any, engine: Any, stream: bool) -> None:
    engine.mode = "stall" if stream else "hang"
    door.gateway.settings.idle_seconds = 20
    asked_now = asyncio.create_task(door.post(CHAT, asked(stream)))
    assert await until(lambda: engine.running == 1)
    await asyncio.sleep(0.05)
    door.gateway.close()

    status, headers, body = await asked_now
    assert (status, b"shutting_down" in body) == (200 if stream else 503, True)
    assert stream or headers["retry-after"] == "1"
    assert door.outcomes() == {"rejected": 1}
    assert await until(lambda: engine.running == 0)


async def test_predict_that_outlasts_the_drain_counts_as_rejected(door: Any, engine: Any) -> None:
    engine.mode = "hang"
    asked_now = asyncio.create_task(door.post("/predict", {"prompt": "a"}))
    assert await until(lambda: engine.running == 1)
    door.gateway.close()

    assert (await asked_now)[0] == 503
    assert door.outcomes() == {"rejected": 1}


@pytest.mark.parametrize("stream", [True, False])
async def test_the_engines_own_refusal_says_that_it_is_the_prompts(door: Any, engine: Any, stream: bool) -> None:
    engine.mode = "400"
    status, headers, body = await door.post(CHAT, asked(stream))

    assert (status, headers["x-sluice-outcome"]) == (400, "prompt")
    assert json.loads(body)["error"]["message"] == "too long"


async def test_a_refusal_of_another_shape_is_brought_into_openais(door: Any, engine: Any) -> None:
    engine.mode = "detail"
    status, _, body = await door.post("/v1/embeddings", {"input": "a"})

    assert (status, json.loads(body)["error"]["message"]) == (404, "Not Found")


@pytest.mark.parametrize(("stream", "outcome"), [(True, "timeout_ttft"), (False, "client_cancel")])
async def test_a_cancel_of_a_whole_answer_is_never_the_engines_fault(
    door: Any, canary: Any, engine: Any, stream: bool, outcome: str
) -> None:
    for _ in range(WANTED):
        door.gateway.ledger.baseline.add("stable", "user", "ttft", 0.001)
    door.gateway.board.show(canary(0))
    engine.mode = "hang"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await door.post(CHAT, asked(stream))

    assert await until(lambda: door.outcomes() == {outcome: 1})


@pytest.mark.parametrize("mode", ["trickle", "flood"])
async def test_a_stream_that_goes_on_and_on_is_ended_when_its_time_is_over(
    door: Any, engine: Any, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fault, "UNREAD_SHARE", 1)  # a flood is more than its client can read
    engine.mode, door.gateway.settings.total_seconds, door.gateway.settings.idle_seconds = mode, 0.3, 20
    async with asyncio.timeout(5):
        status, _, body = await door.post(CHAT, asked())

    *_, before, last = body.strip().split(b"\n\n")
    error = json.loads(last.removeprefix(b"data: "))["error"]
    assert (status, error["code"]) == (200, "timeout_idle")
    assert error["message"] == "the time for a whole request is over"
    assert b"word " in before
    assert b"[DONE]" not in body
    assert door.outcomes() == {"timeout_idle": 1}
    assert await until(lambda: engine.running == 0)


async def ended(door: Any, stream: bool = False) -> tuple[int, str, str, float]:
    began = time.monotonic()
    async with asyncio.timeout(5):
        status, headers, body = await door.post(CHAT, asked(stream))
    return status, headers["x-sluice-outcome"], json.loads(body)["error"]["message"], time.monotonic() - began


@pytest.mark.parametrize("short", ["whole_seconds", "total_seconds"])
async def test_an_answer_in_one_piece_has_a_time_of_its_own_and_no_more_than_the_whole(
    door: Any, engine: Any, settings: Any, short: str
) -> None:
    engine.mode, settings.first_token_seconds, settings.whole_seconds, settings.total_seconds = "hang", 0.01, 20, 20
    setattr(settings, short, 0.3)

    status, outcome, message, seconds = await ended(door)

    assert (status, outcome) == (504, "timeout_ttft")
    assert re.fullmatch(r"no answer within 0\.[23]\d* s", message)
    assert 0.3 <= seconds < 5
    assert await until(lambda: engine.running == 0)


async def test_an_answer_in_one_piece_that_begins_and_stops_is_ended_with_the_whole_time(
    door: Any, engine: Any, settings: Any
) -> None:
    engine.mode, settings.total_seconds = "whole_stall", 0.3

    status, outcome, message, seconds = await ended(door)

    assert (status, outcome, message) == (504, "timeout_idle", "the answer stopped coming")
    assert 0.3 <= seconds < 5
    assert await until(lambda: engine.running == 0)


async def test_a_stream_has_no_more_time_to_begin_than_the_whole(door: Any, engine: Any, settings: Any) -> None:
    engine.mode, settings.first_token_seconds, settings.total_seconds = "hang", 20, 0.3

    assert (await ended(door, stream=True))[:2] == (504, "timeout_ttft")


async def test_who_reads_too_slowly_for_the_whole_time_has_its_engine_not_blamed(door: Any, engine: Any) -> None:
    engine.mode, door.gateway.settings.total_seconds = "flood", 1
    async with (
        aiohttp.ClientSession(read_bufsize=1024) as session,
        session.post(door.url + CHAT, json=asked()) as reply,
    ):
        assert await until(lambda: any(one.flow.write_paused for one in door.server.server_state.connections))
        await asyncio.sleep(1)  # it does not read until the time is over
        async with asyncio.timeout(5):
            body = await reply.read()

    error = json.loads(body.strip().split(b"\n\n")[-1].removeprefix(b"data: "))["error"]
    assert (reply.status, error["code"]) == (200, "client_too_slow")
    assert door.outcomes() == {"client_cancel": 1}
    assert door.gateway.balance.failures == {}
    assert await until(lambda: engine.running == 0)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_is_too_large_is_ended_and_blames_nobody(door: Any, engine: Any, stream: bool) -> None:
    engine.mode, door.gateway.settings.max_answer_bytes = "large", 10_000

    status, headers, body = await door.post(CHAT, asked(stream))

    assert (status, json.loads(body)["error"]["code"]) == (400, "answer_too_large")
    assert headers["x-sluice-outcome"] == "prompt"
    assert door.outcomes() == {"prompt": 1}
    assert await until(lambda: engine.running == 0)
    assert door.gateway.balance.failures == {}


async def test_an_answer_as_large_as_may_be_is_handed_out(door: Any, engine: Any) -> None:
    engine.mode = "large"
    _, _, body = await door.post(CHAT, asked(stream=False))
    door.gateway.settings.max_answer_bytes = len(body)

    assert await door.post(CHAT, asked(stream=False)) == (200, ANY, body)


@pytest.mark.parametrize(("path", "stream"), [(CHAT, True), (CHAT, False), ("/predict", False)])
async def test_an_answer_that_there_is_no_room_for_is_429_and_blames_nobody(
    door: Any, engine: Any, path: str, stream: bool
) -> None:
    engine.mode, door.gateway.room.most = "large", 100_000

    status, headers, body = await door.post(path, asked(stream) if path == CHAT else {"prompt": "a"})

    assert (status, json.loads(body)["error"]["code"], headers["retry-after"]) == (429, "no_room", "1")
    assert door.outcomes() == {"rejected": 1}
    assert door.gateway.balance.failures == {}
    assert await until(lambda: engine.running == 0)


async def test_slow_tokens_are_counted_with_a_bound_of_their_own(door: Any, canary: Any, engine: Any) -> None:
    for _ in range(WANTED):
        door.gateway.ledger.baseline.add("stable", "user", "tpot", 0.001)
    door.gateway.board.show(canary(100))
    for mode in ("good", "slow"):
        engine.mode = mode
        await door.post(CHAT, asked(), x_sluice_user="ann")

    assert door.count("sluice_slow_total", kind="tpot", arm="canary") == 1
    assert door.count("sluice_slow_total", kind="ttft") == 0
    assert door.count("sluice_slow_bound_seconds", kind="tpot", origin="measured") == pytest.approx(0.051)


async def test_only_what_is_streamed_waits_for_a_slow_bound(door: Any, canary: Any) -> None:
    """A gateway whose users do not stream never has one: it must not look as if it could not see them."""
    door.gateway.board.show(canary(100))
    for stream in (False, False, True):
        await door.post(CHAT, asked(stream), x_sluice_user="ann")

    assert door.outcomes(arm="canary") == {"ok": 3}
    assert door.count("sluice_unmeasured_requests", kind="ttft", arm="canary") == 1
    assert door.count("sluice_unmeasured_requests", kind="tpot", arm="canary") == 1
