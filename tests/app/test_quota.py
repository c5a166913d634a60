import asyncio
import contextlib
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from fakeredis import FakeAsyncRedis, FakeServer
from limits import RateLimitItemPerMinute

from app import quota
from app.document import written as encoded
from app.errors import Busy
from app.gateway import BYTES_PER_TOKEN
from app.keys import Key
from app.quota import Quotas
from app.settings import Settings
from tests.app.conftest import Door, opened
from tests.app.databases import Redis

ASKED = {"messages": [{"role": "user", "content": "x" * 300}], "stream": True}
PROMPT = len(encoded({**ASKED, "stream_options": {"include_usage": True}})) // BYTES_PER_TOKEN


def key(**limits: int) -> Key:
    return Key.model_validate({"name": "a", "sha256": "a" * 64, **limits})


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    """One store behind every connection, speaking Redis' commands and scripts; only the wire is missing."""
    server = FakeServer()

    def connected(url: str, **more: object) -> FakeAsyncRedis:
        return FakeAsyncRedis(server=server)

    monkeypatch.setattr(redis.asyncio, "from_url", connected)
    monkeypatch.setattr(redis.asyncio.Redis, "from_url", connected)


async def taken(quotas: Quotas, one: Key, most: int = 50) -> int:
    number = 0
    with contextlib.suppress(Busy):
        while number < most:
            await quotas.take(one)
            number += 1
    return number


async def test_requests_of_a_minute_are_limited_per_key() -> None:
    quotas = Quotas("", 100)

    assert await taken(quotas, key(requestsPerMinute=3)) == 3
    assert await taken(quotas, key(requestsPerMinute=3).model_copy(update={"name": "b"})) == 3
    assert await taken(quotas, key()) == 50


async def test_a_key_is_told_when_to_come_back() -> None:
    quotas, one = Quotas("", 100), key(requestsPerMinute=1)
    await quotas.take(one)
    with pytest.raises(Busy, match="1 requests per minute") as raised:
        await quotas.take(one)

    assert 1 <= int(raised.value.headers["retry-after"]) <= 60


async def test_tokens_that_were_spent_are_gone_for_this_minute() -> None:
    quotas, one = Quotas("", 100), key(tokensPerMinute=100)
    assert await taken(quotas, one) == 50

    quotas.spend(one, 150)
    await asyncio.gather(*quotas.spending)
    assert await taken(quotas, one) == 0


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_with_a_store_limits_hold_across_pods(scheme: str) -> None:
    one, other = Quotas(f"{scheme}://127.0.0.1:1", 100), Quotas(f"{scheme}://127.0.0.1:1", 100)
    limits = key(requestsPerMinute=4, tokensPerMinute=100)

    assert await taken(one, limits, 3) == 3
    assert await taken(other, limits) == 1
    one.spend(limits, 150)
    await asyncio.gather(*one.spending)
    assert await taken(other, limits.model_copy(update={"requests_per_minute": None})) == 0
    assert one.away_until == other.away_until == 0


@pytest.mark.usefixtures("store")
async def test_the_places_of_a_key_are_shared_and_those_of_a_killed_pod_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other, limits = Quotas("redis://127.0.0.1:1", 100), Quotas("redis://127.0.0.1:1", 100), key(concurrency=2)
    first, _ = await one.begin(limits), await other.begin(limits)
    with pytest.raises(Busy, match="2 requests of this key are under way"):
        await other.begin(limits)

    one.end(limits, first)
    await asyncio.gather(*one.spending)
    assert await other.begin(limits)

    now = time.time()
    monkeypatch.setattr("app.leases.time.time", lambda: now + 101)
    assert await one.begin(limits) and await one.begin(limits)


async def test_without_a_store_a_limit_says_that_it_is_this_pods() -> None:
    for quotas in (Quotas("", 100), Quotas("redis://127.0.0.1:1", 100)):
        assert await quotas.begin(key(concurrency=1)) == await quotas.begin(key(concurrency=1)) == ""
        await taken(quotas, key(requestsPerMinute=1))
        with pytest.raises(Busy, match="of this gateway pod alone"):
            await quotas.take(key(requestsPerMinute=1))


async def test_a_store_that_is_away_lets_each_pod_count_alone() -> None:
    quotas = Quotas("redis://127.0.0.1:1", 100)

    assert await taken(quotas, key(requestsPerMinute=3)) == 3
    assert quotas.away_until > 0


async def test_a_store_that_hangs_costs_a_moment_and_not_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "STORE_SECONDS", 0.05)
    async with await asyncio.start_server(lambda reader, writer: asyncio.sleep(5), "127.0.0.1", 0) as server:
        quotas = Quotas(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", 100)
        async with asyncio.timeout(1):
            assert await taken(quotas, key(requestsPerMinute=3)) == 3


async def test_a_lease_that_a_slow_store_gave_too_late_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "AWAY_SECONDS", 0.05)
    limits, store = key(concurrency=2), Redis()
    one, other = Quotas(store.url, 100), Quotas(store.url, 100)
    with store.running():
        first = await one.begin(limits)
        with store.hanging():
            one.end(limits, first)
            assert await one.begin(limits) == ""  # it counts alone
        async with asyncio.timeout(10):
            await asyncio.gather(*one.spending)
        assert await other.begin(limits) and await other.begin(limits)


async def test_at_the_door_used_up_is_429_and_the_engine_does_not_see_it(
    door: Any, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.gateway.keys, "of", lambda shown: key(tokensPerMinute=5))
    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200
    await asyncio.sleep(0.05)
    status, headers, body = await door.post("/v1/completions", {"prompt": "a"})

    assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (json.loads(body)["error"]["type"], "retry-after" in headers) == ("rate_limit_error", True)
    assert len(engine.asked) == 1
    assert door.outcomes() == {"ok": 1, "rejected": 1}


async def spent(door: Door) -> int:
    """Tokens of this minute that the key of these tests has used up."""
    await asyncio.gather(*door.gateway.quotas.spending)
    item = RateLimitItemPerMinute(1000)
    return 1000 - (await door.gateway.quotas.here.get_window_stats(item, "tokens", "a")).remaining


@pytest.mark.parametrize(
    ("mode", "ending", "tokens"),
    [
        ("good", "ok", 3 + 2),  # as the engine tells
        ("no_done", "stream_truncated", 3 + 2),
        ("stall", "client_cancel", PROMPT + 1),
        ("thinking", "client_cancel", PROMPT + 1),
        ("silent", "client_cancel", PROMPT),
        ("stall", "rejected", PROMPT + 1),
        ("cut", "stream_truncated", PROMPT + 1),
        ("500", "upstream_5xx", 0),
    ],
)
async def test_a_stream_that_is_left_cut_or_drained_is_charged_for_what_was_heard(
    door: Door, engine: Any, monkeypatch: pytest.MonkeyPatch, mode: str, ending: str, tokens: int
) -> None:
    engine.mode = mode
    door.gateway.settings.first_token_seconds = door.gateway.settings.idle_seconds = 20
    monkeypatch.setattr(door.gateway.keys, "of", lambda shown: key(tokensPerMinute=1000))
    asking = asyncio.create_task(door.post("/v1/chat/completions", ASKED))
    running = door.gateway.ledger.running
    async with asyncio.timeout(5):
        while not asking.done() and not (engine.running and all(one.first or mode == "silent" for one in running)):
            await asyncio.sleep(0.01)
        if ending == "rejected":
            door.gateway.close()
        elif ending == "client_cancel":
            asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        while not door.outcomes():
            await asyncio.sleep(0.01)

    assert door.outcomes() == {ending: 1}
    assert await spent(door) == tokens


async def test_a_stream_that_is_blocked_is_charged_for_what_was_heard(
    settings: Settings, engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.words_file, settings.block_words = tmp_path / "words.txt", True
    settings.words_file.write_text("two\n")
    engine.mode = "stall"
    async with opened(settings) as door:
        monkeypatch.setattr(door.gateway.keys, "of", lambda shown: key(tokensPerMinute=1000))
        _, _, body = await door.post("/v1/chat/completions", ASKED)

        assert b"content_filter" in body
        assert await spent(door) == PROMPT + 1


async def test_two_gateways_count_in_one_real_redis_and_each_for_itself_without_it(
    settings: Settings, engine: Any, tmp_path: Path
) -> None:
    digest, store = hashlib.sha256(b"k").hexdigest(), Redis()
    settings.keys_file = tmp_path / "keys.yaml"
    settings.keys_file.write_text(f"keys: [{{name: a, sha256: '{digest}', requestsPerMinute: 6, tokensPerMinute: 11}}]")
    settings.limits_url = store.url

    async def asked(*doors: Door) -> int:
        replies = [await door.post("/v1/completions", {"prompt": "a"}, authorization="Bearer k") for door in doors]
        return sum(status == 200 for status, _, _ in replies)

    async with opened(settings.model_copy()) as one, opened(settings.model_copy()) as two:
        with store.running():
            assert await asked(one, two, one) == 3  # each takes five tokens, the third is over
            await asyncio.gather(*one.gateway.quotas.spending, *two.gateway.quotas.spending)
            assert await asked(two, one, two) == 0
            body = {"prompt": "a"}
            settings.keys_file.write_text(f"keys: [{{name: b, sha256: '{digest}', concurrency: 1}}]")
            for each in (one, two):
                each.gateway.keys.reload()
            engine.mode = "hang"
            first = asyncio.create_task(one.post("/v1/completions", body, authorization="Bearer k"))
            async with asyncio.timeout(5):
                while not engine.running:
                    await asyncio.sleep(0.01)
            status, _, said = await two.post("/v1/completions", body, authorization="Bearer k")
            assert (status, json.loads(said)["error"]["code"]) == (429, "concurrency_exceeded")
            first.cancel()
            async with asyncio.timeout(5):
                while one.gateway.ledger.running or one.gateway.quotas.spending:
                    await asyncio.sleep(0.01)
            engine.mode = "good"
            assert await asked(two, one) == 2
            settings.keys_file.write_text(f"keys: [{{name: c, sha256: '{digest}', requestsPerMinute: 6}}]")
            for each in (one, two):
                each.gateway.keys.reload()
        assert await asked(one, two) == 2
        assert min(door.gateway.quotas.away_until for door in (one, two)) > 0
