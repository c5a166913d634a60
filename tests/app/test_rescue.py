"""Two engines behind one gateway: the canary's fails in every way, stable's stands in."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from app.budget import Budget

CHAT, KEY = "/v1/chat/completions", "probe-key"


@pytest.fixture
async def other(serve: Any) -> AsyncIterator[Any]:
    """The canary's engine; `engine` is stable's."""
    async with serve() as one:
        yield one


@pytest.fixture
def release(door: Any, canary: Any, other: Any) -> None:
    door.gateway.board.show(replace(canary(100), canary=(other.url,)))


async def ask(door: Any, stream: bool = True, **headers: str) -> tuple[int, dict[str, str], bytes]:
    found: tuple[int, dict[str, str], bytes] = await door.post(
        CHAT, {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "stream": stream}, **headers
    )
    return found


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("mode", "outcome"),
    [("500", "upstream_5xx"), ("400", "stream_error"), ("hang", "timeout_ttft")],
)
@pytest.mark.usefixtures("release")
async def test_a_user_does_not_see_a_failing_canary(
    door: Any, other: Any, mode: str, outcome: str, stream: bool
) -> None:
    other.mode, door.gateway.settings.whole_seconds = mode, 0.5

    status, headers, body = await ask(door, stream)

    assert (status, headers["x-sluice-rescued"], headers["x-sluice-arm"]) == (200, "1", "canary")
    assert b"two " in body
    assert door.outcomes(arm="canary") == {outcome: 1}
    assert door.outcomes(arm="stable") == {}
    assert door.count("sluice_rescues_total", result="answered") == 1
    assert door.count("sluice_ttft_seconds_count") == 0
    assert door.count("sluice_tokens_total", arm="stable") == 5
    assert not door.gateway.ledger.running


@pytest.mark.parametrize("mode", ["silent", "half", "error_first", "role_then_cut", "role_then_silent"])
@pytest.mark.usefixtures("release")
async def test_a_stream_without_content_is_still_rescued(door: Any, other: Any, mode: str) -> None:
    other.mode = mode

    status, headers, body = await ask(door)

    assert (status, headers["x-sluice-rescued"]) == (200, "1")
    assert body.count(b"two ") == 1
    assert b"error" not in body


@pytest.mark.parametrize(("mode", "stream"), [("large", True), ("large", False), ("role_forever", True)])
@pytest.mark.usefixtures("release")
async def test_a_canary_that_alone_says_too_much_is_to_blame(door: Any, other: Any, mode: str, stream: bool) -> None:
    other.mode, door.gateway.settings.max_answer_bytes = mode, 10_000
    door.gateway.settings.first_token_seconds = 20

    status, headers, _ = await ask(door, stream)

    assert (status, headers["x-sluice-rescued"]) == (200, "1")
    assert door.outcomes() == {"stream_error": 1}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.usefixtures("release")
async def test_canary_and_stable_together_have_no_more_than_the_whole_time(
    door: Any, engine: Any, other: Any, settings: Any, stream: bool
) -> None:
    engine.mode = other.mode = "hang"
    settings.first_token_seconds = settings.whole_seconds = 1
    settings.total_seconds = 1.5
    began = time.monotonic()

    status, headers, body = await ask(door, stream)

    assert (status, headers["x-sluice-outcome"], len(engine.asked)) == (504, "prompt", 1)
    left = json.loads(body)["error"]["message"].removeprefix("no answer within ").removesuffix(" s")
    assert 0 < float(left) <= 0.5  # what the canary had left
    assert 1.5 <= time.monotonic() - began < 5


@pytest.mark.usefixtures("release")
async def test_predict_is_rescued_too(door: Any, other: Any) -> None:
    other.mode = "500"

    status, headers, body = await door.post("/predict", {"prompt": "hello"})

    assert (status, headers["x-sluice-rescued"], json.loads(body)["text"]) == (200, "1", "two words")
    assert door.outcomes() == {"upstream_5xx": 1}


@pytest.mark.usefixtures("release")
async def test_a_canary_without_a_pod_is_rescued_and_blamed(door: Any, canary: Any) -> None:
    door.gateway.board.show(replace(canary(100), canary=()))

    assert (await ask(door))[0] == 200
    assert door.outcomes() == {"connect_error": 1}


@pytest.mark.parametrize("mode", ["cut", "stall", "error"])
@pytest.mark.usefixtures("release")
async def test_after_the_first_byte_nothing_is_rescued(door: Any, engine: Any, other: Any, mode: str) -> None:
    other.mode = mode

    _, headers, body = await ask(door)

    assert b'"error"' in body
    assert "x-sluice-rescued" not in headers
    assert engine.asked == []


@pytest.mark.usefixtures("release")
async def test_when_both_arms_fail_nobody_is_blamed(door: Any, engine: Any, other: Any) -> None:
    engine.mode = other.mode = "500"

    status, headers, _ = await ask(door)

    assert (status, headers["x-sluice-outcome"]) == (502, "prompt")
    assert door.outcomes() == {"prompt": 1}
    assert door.count("sluice_rescues_total", result="failed") == 1


@pytest.mark.usefixtures("release")
async def test_a_prompt_that_both_engines_refuse_is_the_clients_own(door: Any, engine: Any, other: Any) -> None:
    engine.mode = other.mode = "400"

    status, headers, body = await ask(door)

    assert (status, headers["x-sluice-outcome"]) == (400, "prompt")
    assert json.loads(body)["error"]["message"] == "too long"
    assert door.outcomes() == {"prompt": 1}


@pytest.mark.usefixtures("release")
async def test_the_budget_keeps_the_storm_away(door: Any, engine: Any, other: Any) -> None:
    engine.mode = other.mode = "500"

    for _ in range(30):
        await ask(door)

    assert len(engine.asked) == Budget.BURST
    assert door.outcomes(arm="canary") == {"prompt": 10, "upstream_5xx": 20}
    assert door.count("sluice_rescues_total", result="no_budget") == 20


@pytest.mark.usefixtures("release")
async def test_an_unasked_4xx_of_the_canary_is_not_judged(door: Any, other: Any) -> None:
    other.mode, door.gateway.budget.left = "400", 0

    status, headers, _ = await ask(door)

    assert (status, headers["x-sluice-outcome"]) == (400, "prompt")
    assert door.outcomes() == {"prompt": 1}


@pytest.mark.usefixtures("release")
async def test_a_probe_is_never_rescued(door: Any, engine: Any, other: Any) -> None:
    other.mode = "500"

    status, _, _ = await ask(door, x_sluice_probe=KEY, x_sluice_arm="canary")

    assert status == 502
    assert engine.asked == []
    assert door.outcomes(source="probe") == {"upstream_5xx": 1}


@pytest.mark.usefixtures("release")
async def test_switched_off_the_user_sees_the_failure(door: Any, engine: Any, other: Any) -> None:
    other.mode, door.gateway.budget.share = "500", 0

    assert (await ask(door))[0] == 502
    assert engine.asked == []


@pytest.mark.parametrize(("store", "status"), [(None, 502), (False, 200)])
@pytest.mark.usefixtures("release")
async def test_what_the_engine_stores_is_not_sent_twice(door: Any, other: Any, store: bool | None, status: int) -> None:
    other.mode = "500"
    body = {"model": "tiny", "input": "hello"} | ({} if store is None else {"store": store})

    assert (await door.post("/v1/responses", body))[0] == status


@pytest.mark.usefixtures("release")
async def test_a_client_that_leaves_during_the_rescue_frees_both(door: Any, engine: Any, other: Any) -> None:
    other.mode, engine.mode = "500", "hang"
    door.gateway.settings.first_token_seconds = 20
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await ask(door)
    await asyncio.sleep(0.2)

    assert (engine.running, other.running) == (0, 0)
    assert door.outcomes() == {"client_cancel": 1}


def test_the_budget_is_a_share_of_stables_traffic() -> None:
    budget = Budget(0.1)
    while budget.spend():
        pass
    for _ in range(105):
        budget.earn()

    assert sum(budget.spend() for _ in range(20)) == 10
