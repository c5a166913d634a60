"""The tables, on SQLite and on a real PostgreSQL."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event, inspect
from sqlalchemy.exc import SQLAlchemyError

from app.store import METADATA, NOT_WRITTEN, Store, async_url, plain, storable
from tests.app.databases import Postgres

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    found = Store.at(url)
    await found.migrate()
    yield found
    await found.engine.dispose()


def query(**other: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("user_hash", "version", "revision", "arm", "variant", "trace_id", "outcome"), "x")
    return {"query_id": uuid.uuid4().hex, "seconds": 1.5, **texts, **other}


async def found(store: Store, one: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in await store.queries() if row["query_id"] == one["query_id"]]


async def test_the_migrations_make_the_tables_that_the_code_means(store: Store) -> None:
    async with store.engine.connect() as connection:
        made = await connection.run_sync(
            lambda sync: {
                table: {column["name"] for column in inspect(sync).get_columns(table)} for table in METADATA.tables
            }
        )

    assert made == {name: set(table.columns.keys()) for name, table in METADATA.tables.items()}


async def test_a_second_migration_changes_nothing(store: Store) -> None:
    one = query()
    await store.add_queries([one])
    await store.migrate()

    assert len(await found(store, one)) == 1


MIGRATES = "import asyncio, sys; from app.store import Store; asyncio.run(Store.at(sys.argv[1]).migrate())"


async def test_pods_that_start_together_wait_for_each_other(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE DATABASE fresh")
    await connection.close()
    url = postgres.url.removesuffix("postgres") + "fresh"
    pods = [await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATES, url, cwd=ROOT) for _ in range(2)]

    assert [await pod.wait() for pod in pods] == [0, 0]


async def test_a_command_has_its_time_and_a_migration_as_much_as_it_takes(postgres: Postgres) -> None:
    store = Store.at(postgres.url, command_seconds=0.2)
    await store.migrate()
    other = await asyncpg.connect(postgres.url)
    async with asyncio.timeout(10):
        async with other.transaction():
            await other.execute("LOCK TABLE alembic_version, queries")
            migrating = asyncio.create_task(store.migrate())
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.02)
            with pytest.raises(TimeoutError):
                await store.knows("a")
        await migrating
    await other.close()
    await store.engine.dispose()


async def test_many_rows_are_written_in_portions_that_each_end_in_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    portions = []
    monkeypatch.setattr("app.store.AT_ONCE", 2)
    event.listen(store.engine.sync_engine, "before_cursor_execute", lambda *said: portions.append(len(said[3])))
    written = [query() for _ in range(5)]
    await store.add_queries(written)

    assert max(portions[:2]) == 2
    assert len(portions) == 3
    assert {row["query_id"] for row in written} <= {row["query_id"] for row in await store.queries()}


async def test_a_query_that_is_there_stays_as_it_was(store: Store) -> None:
    one = query(version="v1")
    await store.add_queries([one])
    await store.add_queries([{**one, "version": "v2"}, query()])

    assert [row["version"] for row in await found(store, one)] == ["v1"]


async def test_a_first_row_gives_way_to_the_whole_one_and_never_the_other_way_round(store: Store) -> None:
    one = query(version="v1", tokens=7)
    first = {**one, "outcome": NOT_WRITTEN, "tokens": None}
    await store.add_queries([first])
    await store.record(one["query_id"], "asked", "said")
    for said in ([one], [first], [{**one, "version": "v2"}]):
        await store.add_queries(said)
    await store.rate(one["query_id"], "ada", 1, None)

    assert [(row["version"], row["outcome"], row["tokens"]) for row in await found(store, one)] == [("v1", "x", 7)]
    assert ("asked", "said") in {(row["prompt"], row["answer"]) for row in await store.rated()}


async def test_nothing_to_keep_needs_no_database() -> None:
    store = Store.at("postgresql://nobody@127.0.0.1:1/none")
    await store.add_queries([])
    with pytest.raises((SQLAlchemyError, OSError)):
        await store.add_queries([query()])
    await store.engine.dispose()


async def test_only_what_was_kept_is_known(store: Store) -> None:
    one = query()
    assert not await store.knows(one["query_id"])
    await store.add_queries([one])
    assert await store.knows(one["query_id"])


async def test_what_the_same_user_says_again_replaces_what_he_said(store: Store) -> None:
    one = query()
    await store.add_queries([one])
    for user, rating, comment in (("ada", 1, "good"), ("bob", 1, None), ("ada", -1, None)):
        await store.rate(one["query_id"], user, rating, comment)

    rated = [row for row in await store.rated() if row["query_id"] == one["query_id"]]
    said = {(row["user_hash"], row["rating"], row["comment"]) for row in rated}
    assert said == {("ada", -1, None), ("bob", 1, None)}


async def test_a_rating_without_its_query_is_not_among_the_rated(store: Store) -> None:
    await store.rate("of another database", "ada", 1, None)

    assert "of another database" not in {row["query_id"] for row in await store.rated()}


async def test_queries_come_without_what_was_asked_and_answered(store: Store) -> None:
    one = query()
    await store.add_queries([one])
    await store.record(one["query_id"], "a secret", "an answer")

    (row,) = await found(store, one)
    assert not {"prompt", "answer"} & set(row)
    assert datetime.fromisoformat(row["created"])


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("sqlite:////data/a.db", "sqlite+aiosqlite:////data/a.db"),
        ("postgresql://u:p@h/n", "postgresql+asyncpg://u:p@h/n"),
        ("postgresql+asyncpg://h/n", "postgresql+asyncpg://h/n"),
    ],
)
def test_an_address_gets_the_driver_that_we_use(given: str, address: str) -> None:
    assert async_url(given) == address


@pytest.mark.parametrize("given", ["mysql://h/n", "postgresql", "", "postgresql+psycopg2://h/n"])
def test_another_database_is_told(given: str) -> None:
    with pytest.raises(ValueError, match="neither sqlite:///FILE nor postgresql://"):
        async_url(given)


@pytest.mark.parametrize(("text", "kept"), [("问\0a", "问a"), ("half \ud800", "half ?"), ("\U0001f600", "\U0001f600")])
def test_what_postgresql_cannot_hold_is_left_out(text: str, kept: str) -> None:
    assert storable(text) == kept


def test_times_are_text() -> None:
    assert plain({"a": datetime(2026, 1, 2), "b": 1}) == {"a": "2026-01-02T00:00:00", "b": 1}
