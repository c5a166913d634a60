"""One marker goes in through every door and every failure; it may come out nowhere but in the answer to it."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.settings import Settings
from app.store import Store
from tests.app.collector import PROGRAM, Collector, collecting
from tests.app.conftest import Door, opened

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

    def __init__(self, door: Door, collector: Collector, database: Path, logs: Any) -> None:
        self.door, self.collector, self.database, self.logs = door, collector, database, logs
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
        metrics = (await self.door.get("/metrics"))[1].decode()
        assert "sluice_started_total" in metrics
        assert self.collector.spans
        return iter(
            {
                "message": self.told,
                "log": self.out + self.logs[1].text,
                "metric": metrics,
                "trace": "".join(self.collector.texts),
                **{f"column {name}": said for name, said in columns(self.database).items()},
            }.items()
        )

    async def found(self) -> set[str]:
        return {place for place, said in await self.places() if MARKER in said}


def columns(database: Path) -> dict[str, str]:
    """All values of every column of every table."""
    found = {}
    with sqlite3.connect(database) as connection:
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            rows = connection.execute(f"select * from {table}")  # noqa: S608 - a name out of the schema
            names = [one[0] for one in rows.description]
            for name, values in zip(names, zip(*rows.fetchall(), strict=True), strict=False):
                found[f"{table}.{name}"] = str(values)
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


@pytest.fixture
async def trail(
    listening: Settings, collector: Collector, tmp_path: Path, canary: Any, capfd: Any, caplog: Any
) -> AsyncIterator[Trail]:
    caplog.set_level("DEBUG", "app")
    async with opened(listening) as door:
        door.gateway.board.show(canary(50))
        yield Trail(door, collector, tmp_path / "db", (capfd, caplog))


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


async def test_with_the_switch_on_the_same_search_finds_it(
    listening: Settings, collector: Collector, tmp_path: Path, capfd: Any, caplog: Any, monkeypatch: Any
) -> None:
    if own := not hasattr(Store, "record"):
        monkeypatch.setattr(Store, "record", record, raising=False)
    async with opened(listening.model_copy(update={"record_share": 1.0})) as door:
        trail = Trail(door, collector, tmp_path / "db", (capfd, caplog))
        for path, body in DOORS.items():
            await trail.ask(path, {**body, "extra": f"{MARKER} 4111 1111 1111 1111"})
        assert door.gateway.samples
        async with asyncio.timeout(10):
            while door.gateway.samples.waiting:
                await asyncio.sleep(0.02)

        assert await trail.found() == {f"column {'samples' if own else 'queries'}.prompt"}


async def record(store: Store, query_id: str, prompt: str, answer: str) -> None:
    async with store.engine.begin() as connection:
        await connection.execute(text("create table if not exists samples (query_id, prompt, answer)"))
        await connection.execute(
            text("insert into samples values (:q, :p, :a)"), {"q": query_id, "p": prompt, "a": answer}
        )
