"""One marker goes in through every door and every failure; it may come out nowhere but in the answer to it."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Connection, MetaData, select

from app.feedback import DOWN
from app.samples import Samples
from app.settings import Settings
from app.store import Store
from tests.app.collector import PROGRAM, Collector, collecting
from tests.app.conftest import Door, opened
from tests.app.databases import Postgres

MARKER = "marker-4711-zebra"
DOORS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": MARKER}]},
    "/v1/completions": {"prompt": MARKER},
    "/v1/embeddings": {"input": MARKER},
    "/v1/responses": {"input": MARKER, "instructions": MARKER},
    "/predict": {"prompt": MARKER},
}
MODES = ["good", "500", "400", "detail", "echo", "hang", "silent", "stall", "cut", "no_done", "odd", "abort", "error"]
WRONG: tuple[Any, ...] = (
    {"n": MARKER},
    {"stop": [MARKER] * 99},
    {"model": MARKER},
    {"max_new_tokens": MARKER},
    {"max_tokens": 10**9, MARKER: MARKER},
    {MARKER: MARKER, "user": MARKER, "metadata": {MARKER: MARKER}},
    {"messages": [{"content": [{"type": "image_url", "image_url": {"url": f"http://{MARKER}/"}}]}]},
    {"padding": MARKER * 1000},  # 413
)
HEADERS = {
    "user-agent": MARKER,
    "x-sluice-user": MARKER,
    "x-sluice-arm": MARKER,
    "tracestate": f"a={MARKER}",
    "baggage": f"a={MARKER}",
    "traceparent": MARKER,
    "cookie": f"a={MARKER}",
    "referer": f"http://{MARKER}/",
    "x-other": MARKER,
}


class Trail:
    """All that the gateway says: what clients are told of failures, logs, metrics, traces and the database."""

    def __init__(self, door: Door, collector: Collector, logs: Any) -> None:
        self.door, self.collector, self.logs = door, collector, logs
        self.told, self.out, self.asked = "", "", 0

    async def ask(self, path: str, body: Any, **headers: str) -> int:
        self.asked += 1
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.door.session.post(self.door.url + path, data=data, headers={**HEADERS, **headers}) as reply:
            self.told += str(reply.headers) + (await reply.read()).decode()
            return reply.status

    async def leave(self, path: str, body: Any) -> None:
        """Ask, and go away before the answer."""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.ask(path, body), 0.15)

    async def settled(self) -> None:
        """Until every line, span and row is where it belongs."""
        provider = self.door.gateway.traces.provider
        assert provider
        await asyncio.to_thread(provider.force_flush)
        assert self.door.gateway.recorder
        await self.door.gateway.recorder.flush()
        async with asyncio.timeout(10):
            while self.out.count('"event": "request"') < self.asked:
                await asyncio.sleep(0.02)
                self.out += "".join(self.logs[0].readouterr())

    async def places(self) -> Iterator[tuple[str, str]]:
        await self.settled()
        metrics, recorder = (await self.door.get("/metrics"))[1].decode(), self.door.gateway.recorder
        assert recorder
        assert "sluice_started_total" in metrics
        assert self.collector.spans
        return iter(
            {
                "message": self.told,
                "log": self.out + self.logs[1].text,
                "metric": metrics,
                "trace": "".join(self.collector.texts),
                **{f"column {name}": said for name, said in (await columns(recorder.store)).items()},
            }.items()
        )

    async def found(self) -> set[str]:
        return {place for place, said in await self.places() if MARKER in said}


async def columns(store: Store) -> dict[str, str]:
    """All values of every column of every table, also of those that the code does not know."""

    def read(connection: Connection) -> dict[str, str]:
        there = MetaData()
        there.reflect(connection)
        every = [column for table in there.tables.values() for column in table.c]
        return {str(one): str(connection.execute(select(one)).scalars().all()) for one in every}

    async with store.engine.connect() as connection:
        found = await connection.run_sync(read)
    assert "feedback.comment" in found
    return found


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as one:
        yield one


@pytest.fixture
def listening(settings: Settings, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("app.traces.EVERY_SECONDS", 0.05)
    quick = {"whole_seconds": 0.1, "first_token_seconds": 0.1, "idle_seconds": 0.1, "log_level": "debug"}
    return settings.model_copy(
        update={"database_url": f"sqlite:///{tmp_path}/db", "otlp_endpoint": collector.url, **quick}
    )


Follow = Callable[..., AbstractAsyncContextManager[Trail]]


@pytest.fixture
def follow(listening: Settings, collector: Collector, canary: Any, capfd: Any, caplog: Any) -> Follow:
    """The trail of a gateway with these settings."""
    caplog.set_level("DEBUG", "app")

    @asynccontextmanager
    async def followed(**settings: Any) -> AsyncIterator[Trail]:
        async with opened(listening.model_copy(update=settings)) as door:
            door.gateway.board.show(canary(50))
            yield Trail(door, collector, (capfd, caplog))

    return followed


@pytest.fixture
async def trail(follow: Follow) -> AsyncIterator[Trail]:
    async with follow() as one:
        yield one


@pytest.fixture
async def fresh(postgres: Postgres) -> str:
    """A database of PostgreSQL's that nobody else writes to."""
    name = f"marker_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return postgres.url.removesuffix("postgres") + name


pytestmark = pytest.mark.skipif(not Path(PROGRAM).exists(), reason="make test builds the collector")


@pytest.mark.parametrize("mode", MODES)
async def test_no_answer_of_an_engine_brings_the_prompt_out(trail: Trail, engine: Any, mode: str) -> None:
    engine.mode = mode
    for path, body in DOORS.items():
        for more in ({}, {"stream": True}):
            await trail.ask(path, {**body, **more})

    assert len(engine.asked) >= len(DOORS)
    assert await trail.found() == set()


async def test_no_refusal_brings_the_prompt_out(trail: Trail, engine: Any) -> None:
    seen = set()
    broken = f'{{"prompt": "{MARKER}'.encode(), f'["{MARKER}"]'.encode(), MARKER.encode(), b"\xff" + MARKER.encode()
    for path, body in DOORS.items():
        for more in WRONG:
            seen.add(await trail.ask(path, {**body, **more}))
        for raw in broken:
            seen.add(await trail.ask(path, raw))
        seen.add(await trail.ask(path, body, **{"x-sluice-probe": MARKER}))
    trail.door.gateway.slots.most = 0
    seen.add(await trail.ask("/predict", DOORS["/predict"]))
    for method in ("GET", "PUT"):
        for path in (f"/{MARKER}", f"/v1/models/{MARKER}", f"/predict?a={MARKER}", f"/feedback/{MARKER}"):
            trail.asked += 1
            async with trail.door.session.request(method, trail.door.url + path, headers=HEADERS) as reply:
                trail.told += str(reply.headers) + await reply.text()
                seen.add(reply.status)

    assert seen >= {400, 401, 404, 405, 413, 422, 429}
    assert await trail.found() == set()


async def test_no_client_that_goes_away_leaves_its_prompt_behind(trail: Trail, engine: Any) -> None:
    settings = trail.door.gateway.settings
    settings.whole_seconds = settings.first_token_seconds = settings.idle_seconds = 5
    for mode, stream in (("hang", False), ("hang", True), ("silent", True), ("stall", True)):
        engine.mode = mode
        for path in DOORS if mode == "hang" else ("/v1/chat/completions", "/v1/completions"):
            await trail.leave(path, {**DOORS[path], "stream": stream})

    assert await trail.found() == set()


@pytest.mark.parametrize(
    ("mode", "rescued"), [("500", "good"), ("silent", "good"), ("echo", "echo"), ("error_first", "good")]
)
async def test_no_rescue_brings_the_prompt_out(
    trail: Trail, engine: Any, serve: Any, canary: Any, mode: str, rescued: str
) -> None:
    engine.mode = mode
    async with serve() as stable:
        stable.mode = rescued
        arms = canary(100)
        trail.door.gateway.board.show(type(arms)(**{**vars(arms), "stable": (stable.url,)}))
        for path, body in DOORS.items():
            await trail.ask(path, {**body, "stream": True, "store": False})
        assert stable.asked

    assert await trail.found() == set()


async def test_a_drain_brings_no_prompt_out(trail: Trail, engine: Any) -> None:
    engine.mode = "hang"
    trail.door.gateway.settings.whole_seconds = 5
    asked = [asyncio.create_task(trail.ask(path, body)) for path, body in DOORS.items()]
    async with asyncio.timeout(5):
        while engine.running < len(DOORS):
            await asyncio.sleep(0.01)
    trail.door.gateway.close()
    assert set(await asyncio.gather(*asked)) == {503}

    assert await trail.found() == set()


async def test_a_comment_stands_in_its_column_and_nowhere_else(trail: Trail, engine: Any) -> None:
    await trail.ask("/predict", DOORS["/predict"], **{"x-request-id": "q-1"})
    said = {"query_id": "q-1", "rating": 1, "comment": MARKER, "user": MARKER}
    assert await trail.ask("/feedback", said) == 200
    for wrong in ({"rating": MARKER}, {"query_id": MARKER}, {"comment": MARKER * 1000}, {"user": [MARKER]}):
        assert await trail.ask("/feedback", {**said, **wrong}) in (404, 413, 422)

    assert await trail.found() == {"column feedback.comment"}


async def test_no_engine_that_cannot_be_reached_brings_the_prompt_out(trail: Trail, canary: Any) -> None:
    nowhere = ("http://127.0.0.1:1",)
    trail.door.gateway.board.show(replace(canary(50), stable=nowhere, canary=nowhere))
    for path, body in DOORS.items():
        for more in ({}, {"stream": True}):
            assert await trail.ask(path, {**body, **more}) == 502

    assert await trail.found() == set()


async def test_no_answer_that_is_cut_brings_the_prompt_out(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("words\n")
    async with follow(words_file=tmp_path / "words", block_words=True) as trail:
        for path, body in DOORS.items():
            for more in ({}, {"stream": True}):
                await trail.ask(path, {**body, **more})

        assert trail.told.count("content_filter") >= 2 * (len(DOORS) - 1)  # an embedding says nothing
        assert await trail.found() == set()


async def test_no_spent_quota_brings_the_prompt_out(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(
        f"keys: [{{name: a, sha256: '{hashlib.sha256(b'key').hexdigest()}', requestsPerMinute: 1}}]"
    )
    async with follow(keys_file=tmp_path / "keys") as trail:
        told = [await trail.ask(path, body, authorization="Bearer key") for path, body in DOORS.items()]

        assert told[1:] == [429] * (len(DOORS) - 1)
        assert await trail.found() == set()


def quoted(*said: Any) -> Any:
    """Fails as code does that quotes what it was given."""
    raise ValueError(f"cannot use {[getattr(one, 'call', one) for one in said]}")


@pytest.mark.parametrize("broken", ["app.caps.checked", "app.relay.Attempt.head"])
async def test_no_fault_of_our_own_brings_the_prompt_out(
    follow: Follow, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(broken, quoted)
    async with follow() as trail:  # begun here, where what it logs to stays open
        for path, body in DOORS.items():
            assert await trail.ask(path, {**body, "user": MARKER}) == 500

        assert await trail.found() == set()
        assert trail.out.count("\nValueError\n") == len(DOORS)


async def test_a_comment_for_a_database_that_is_down_comes_out_nowhere(
    follow: Follow, postgres: Postgres, fresh: str
) -> None:
    async with follow(database_url=fresh) as trail:
        await trail.ask("/predict", DOORS["/predict"], **{"x-request-id": "q-1"})
        said = {"query_id": "q-1", "rating": 1, "comment": MARKER, "user": MARKER}
        await trail.settled()
        postgres.stop()
        try:
            assert await trail.ask("/feedback", said) == 503
        finally:
            postgres.start()
        assert await trail.found() == set()
        assert await trail.ask("/feedback", said) == 200

        assert await trail.found() == {"column feedback.comment"}


async def test_a_sample_for_a_database_that_is_down_comes_out_nowhere(
    follow: Follow, postgres: Postgres, fresh: str
) -> None:
    async with follow(database_url=fresh, record_share=1.0) as trail:
        await trail.settled()
        samples = trail.door.gateway.samples
        assert samples
        postgres.stop()
        try:
            for path, body in DOORS.items():
                await trail.ask(path, body)
            with pytest.raises(DOWN):
                await samples.flush()
        finally:
            postgres.start()
        assert len(samples.waiting) == len(DOORS)
        await written(samples)

        assert await trail.found() == {"column queries.prompt"}


async def written(samples: Samples) -> None:
    async with asyncio.timeout(10):
        while samples.waiting:
            await asyncio.sleep(0.02)


async def test_with_the_switch_on_the_same_search_finds_it(follow: Follow) -> None:
    async with follow(record_share=1.0) as trail:
        for path, body in DOORS.items():
            await trail.ask(path, {**body, "extra": f"{MARKER} 4111 1111 1111 1111"})
        assert trail.door.gateway.samples
        await written(trail.door.gateway.samples)

        assert await trail.found() == {"column queries.prompt"}
