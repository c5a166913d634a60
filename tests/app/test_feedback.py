import asyncio
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from app.arms import Arms
from app.keys import Key
from app.settings import Settings
from app.slots import Slots
from app.store import Store
from tests.app.conftest import Door, Engine, opened
from tests.app.databases import Postgres

SOON = 12  # seconds: well below a client's patience, and what the kubelet's allows when the drain is over


@pytest.fixture
async def door(settings: Settings, url: str) -> AsyncIterator[Door]:
    async with opened(settings.model_copy(update={"database_url": url})) as found:
        yield found


async def asked(door: Door, user: str = "tom") -> str:
    query = uuid.uuid4().hex
    body = {"prompt": "a secret", "stream": True}
    status, _, _ = await door.post("/v1/completions", body, x_sluice_user=user, x_request_id=query)
    assert status == 200
    return query


async def rate(door: Door, query: str, user: str) -> int:
    status, _, _ = await door.post("/feedback", {"query_id": query, "rating": 1}, x_sluice_user=user)
    return status


async def rows(url: str, query: str, *, whole: bool = True) -> list[dict[str, Any]]:
    """The ratings of a query, whose own row is written when its answer has been looked at."""
    store, found = Store.at(url), []
    async with asyncio.timeout(10):
        while not found:
            await asyncio.sleep(0.02)
            found = [row for row in await store.rated() if row["query_id"] == query and (row["outcome"] or not whole)]
    await store.engine.dispose()
    return found


async def test_feedback_is_a_row_tied_to_what_answered(door: Door, url: str) -> None:
    query = await asked(door)

    said = {"query_id": query, "rating": 1, "comment": "good"}
    status, _, _ = await door.post("/feedback", said, x_sluice_user="tom")

    assert status == 200
    (row,) = await rows(url, query)
    assert (door.count("sluice_feedback_total"), door.count("sluice_feedback_total", rating="1")) == (1, 1)
    assert (row["rating"], row["comment"], row["version"], row["revision"]) == (1, "good", "v0.0.0", "0")
    assert (row["arm"], row["outcome"], row["tokens"]) == ("stable", "ok", 2)
    assert "tom" not in str(row)  # no hexadecimal number holds it by chance
    assert "secret" not in str(row)


async def test_feedback_is_idempotent_per_query_and_user(door: Door, url: str) -> None:
    query = await asked(door)

    for user, rating in (("ada", 1), ("ada", 1), ("bob", 1), ("ada", -1)):
        status, _, _ = await door.post("/feedback", {"query_id": query, "rating": rating}, x_sluice_user=user)
        assert status == 200

    assert sorted(row["rating"] for row in await rows(url, query)) == [-1, 1]


async def test_nobodys_query_is_known_as_such(door: Door, url: str) -> None:
    query = await asked(door, user="")
    await door.post("/feedback", {"query_id": query, "rating": 1})
    (row,) = await rows(url, query)
    store = Store.at(url)
    users = {one["query_id"]: one["user_hash"] for one in await store.queries()}
    await store.engine.dispose()

    assert (row["user_hash"], users[query]) == ("", "")


async def test_another_replica_takes_the_feedback(door: Door, settings: Settings, url: str) -> None:
    assert door.gateway.recorder
    await door.gateway.recorder.flush()  # SQLite's tables are not made by two at once
    query = await asked(door)
    async with opened(settings.model_copy(update={"database_url": url})) as other:
        status, _, _ = await other.post("/feedback", {"query_id": query, "rating": 5})

    assert status == 200
    assert len(await rows(url, query)) == 1


async def test_a_query_that_nobody_asked_is_refused(door: Door) -> None:
    status, _, _ = await door.post("/feedback", {"query_id": "unheard", "rating": 5})

    assert status == 404


@pytest.mark.parametrize("body", [{"rating": 1}, {"query_id": "a", "rating": 9}, {"query_id": "\0", "rating": 1}])
async def test_a_wrong_feedback_is_refused(door: Door, body: dict[str, Any]) -> None:
    status, _, _ = await door.post("/feedback", body)

    assert status == 422


async def test_a_rating_is_one_of_its_keys_requests_and_needs_no_tokens(
    door: Door, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"name": "a", "sha256": "a" * 64, "requestsPerMinute": 3, "tokensPerMinute": 1}
    query = await asked(door)
    monkeypatch.setattr(door.gateway.keys, "of", lambda shown: Key.model_validate(limits))
    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200  # more tokens than it has
    await asyncio.gather(*door.gateway.quotas.spending)
    wrong, _, _ = await door.post("/feedback", {"query_id": query, "rating": 9})
    ratings = [await door.post("/feedback", {"query_id": query, "rating": rating}) for rating in (5, 4, 3)]

    assert wrong == 422
    assert [status for status, _, _ in ratings] == [200, 200, 429]
    assert 1 <= int(ratings[2][1]["retry-after"]) <= 60
    assert [row["rating"] for row in await rows(url, query)] == [4]


async def test_ratings_have_places_of_their_own_shared_by_the_keys(door: Door, engine: Engine) -> None:
    assert door.gateway.recorder
    slots = door.gateway.recorder.slots = Slots(1)
    waiting = asyncio.create_task(door.post("/feedback", {"query_id": "unheard", "rating": 5}))
    async with asyncio.timeout(10):
        while not slots.taken:
            await asyncio.sleep(0.01)
    status, headers, _ = await door.post("/feedback", {"query_id": "unheard", "rating": 5})
    await asked(door)

    assert (status, headers["retry-after"]) == (429, "1")
    assert ((await waiting)[0], slots.taken) == (404, 0)


async def test_without_a_database_the_gateway_says_so(settings: Settings) -> None:
    async with opened(settings) as door:
        status, _, content = await door.post("/feedback", {"query_id": "a", "rating": 1})

    assert (status, b"SLUICE_DATABASE_URL" in content) == (404, True)


async def test_a_database_that_is_down_fails_feedback_alone_and_nothing_acknowledged_is_lost(
    settings: Settings, postgres: Postgres
) -> None:
    async with opened(settings.model_copy(update={"database_url": postgres.url})) as door:
        before = await asked(door)
        kept, _, _ = await door.post("/feedback", {"query_id": before, "rating": 1})
        postgres.stop()
        try:
            during = await asked(door)
            said = {"query_id": during, "rating": 1}
            status, headers, _ = await door.post("/feedback", said)
        finally:
            postgres.start()
        again, _, _ = await door.post("/feedback", said)

    assert (kept, status, again) == (200, 503, 200)
    assert headers["retry-after"] == "1"
    assert [len(await rows(postgres.url, query)) for query in (before, during)] == [1, 1]


async def test_a_database_that_hangs_fails_feedback_alone_and_soon(settings: Settings, postgres: Postgres) -> None:
    async with opened(settings.model_copy(update={"database_url": postgres.url})) as door:
        before = await asked(door)
        kept, _, _ = await door.post("/feedback", {"query_id": before, "rating": 1})
        with postgres.hanging():
            during = await asked(door)
            said = {"query_id": during, "rating": 1}
            async with asyncio.timeout(SOON):  # however many wait for it
                refused = await asyncio.gather(*(door.post("/feedback", said) for _ in range(30)))
        again, _, _ = await door.post("/feedback", said)

    assert (kept, again) == (200, 200)
    assert {(status, headers["retry-after"]) for status, headers, _ in refused} == {(503, "1")}
    assert [len(await rows(postgres.url, query)) for query in (before, during)] == [1, 1]


async def test_a_gateway_ends_though_its_database_hangs_and_nothing_acknowledged_is_lost(
    settings: Settings, postgres: Postgres
) -> None:
    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(opened(settings.model_copy(update={"database_url": postgres.url})))
        query = await asked(door)
        kept = await asyncio.gather(*(rate(door, query, f"user {number}") for number in range(8)))
        with postgres.hanging():
            await asked(door)  # that row is lost: nobody takes it
            async with asyncio.timeout(SOON):
                await stack.aclose()

    assert kept == [200] * 8
    assert len(await rows(postgres.url, query, whole=False)) == 8
    assert door.count("sluice_queries_lost_total") >= 1


@pytest.mark.parametrize("mode", ["good", "stall"])
async def test_a_rating_outlives_a_pod_that_is_killed_before_it_wrote_the_query(
    door: Door, engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    engine.mode = mode
    door.gateway.settings.idle_seconds = 30
    monkeypatch.setattr(door.gateway.ledger.checker, "add", lambda *given: None)  # it is never looked at
    query = uuid.uuid4().hex
    body, headers = {"prompt": "a", "stream": True}, {"x-request-id": query}
    async with door.session.post(door.url + "/v1/completions", json=body, headers=headers) as reply:
        await reply.content.readuntil(b"\n\n")
        status, _, _ = await door.post("/feedback", {"query_id": query, "rating": 5})
        assert door.gateway.recorder
        door.gateway.recorder.waiting.clear()  # what this pod still meant to write goes with it

    (row,) = await rows(url, query, whole=False)
    assert (status, row["rating"], row["version"], row["arm"], row["outcome"]) == (200, 5, "v0.0.0", "stable", "")


async def test_what_the_checks_found_is_kept_with_the_query(door: Door, engine: Engine, url: str) -> None:
    engine.mode = "empty"
    query = await asked(door)
    recorder = door.gateway.recorder
    assert recorder
    async with asyncio.timeout(10):
        await recorder.flush()
        while not (found := [row for row in await recorder.store.queries() if row["query_id"] == query]):
            await recorder.flush()
            await asyncio.sleep(0.02)

    assert json.loads(found[0]["checks"])["empty"] is True


async def test_a_sample_stands_beside_its_query(door: Door, url: str) -> None:
    query = await asked(door)
    await door.post("/feedback", {"query_id": query, "rating": 1})
    recorder = door.gateway.recorder
    assert recorder
    found = await rows(url, query)
    assert found[0]["prompt"] is None

    await recorder.store.record(query, "问\0", "answer \ud800")

    assert [(row["prompt"], row["answer"]) for row in await rows(url, query)] == [("问", "answer ?")]


async def test_queries_that_find_no_place_are_counted(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = door.gateway.recorder
    assert recorder
    monkeypatch.setattr("app.feedback.KEPT", 0)
    monkeypatch.setattr(recorder, "waiting", deque(recorder.waiting))
    recorder.waiting.append(("held", "", door.gateway.ledger.begin(door.gateway.arms, "stable", "user", "")))

    await asked(door)

    assert door.count("sluice_queries_lost_total") == 1


async def test_an_id_that_comes_again_stays_with_its_first_answer(door: Door, engine: Engine, url: str) -> None:
    for engine.mode in ("500", "good"):
        _, headers, _ = await door.post("/v1/completions", {"prompt": "a"}, x_request_id="again")
    status, _, _ = await door.post("/feedback", {"query_id": "again", "rating": 1})
    (row,) = await rows(url, "again")

    assert (status, headers["x-request-id"], row["outcome"]) == (200, "again", "upstream_5xx")


@pytest.mark.parametrize(("mode", "arm"), [("good", "stable"), ("good", "canary"), ("500", "canary")])
async def test_what_is_rated_within_a_release_is_of_the_version_that_answered(
    door: Door, url: str, engine: Engine, serve: Any, mode: str, arm: str
) -> None:
    async with serve() as other:
        other.mode = mode
        weight = 100 if arm == "canary" else 0
        arms = Arms("n/llm", "v2-r2", "v2", True, weight, (engine.url,), (other.url,), stable_release="v1-r1")
        door.gateway.board.show(arms)
        status, headers, content = await door.post("/predict", {"prompt": "a"}, x_sluice_user="ada")
        answer = json.loads(content)
        await door.post("/feedback", {"query_id": answer["query_id"], "rating": 1})

    by = ("v2", "2") if (mode, arm) == ("good", "canary") else ("v1", "1")  # stable answers what the canary fails
    found = await rows(url, answer["query_id"])
    assert (status, headers["x-sluice-version"], answer["model_version"]) == (200, by[0], by[0])
    assert (found[0]["version"], found[0]["revision"], found[0]["arm"]) == (*by, arm)
