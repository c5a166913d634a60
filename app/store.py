"""What is kept of queries and of what users said about them: tables, engine and their migrations."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Column as Col
from sqlalchemy import Connection, DateTime, Float, Integer, MetaData, String, Table, Text, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMES = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
CONNECT_SECONDS = 3
AT_ONCE = 1_000  # rows of one command: after an outage there are many, and each command has to end in time

NOT_WRITTEN = ""  # the outcome of a query that was rated before its own row was written: that is still to come

METADATA = MetaData()
QUERIES = Table(
    "queries",
    METADATA,
    Col("query_id", String(128), primary_key=True),
    Col("user_hash", String(32), nullable=False),
    Col("version", String(128), nullable=False),
    Col("revision", String(32), nullable=False),
    Col("arm", String(16), nullable=False),
    Col("variant", String(128), nullable=False),
    Col("trace_id", String(32), nullable=False),
    Col("outcome", String(32), nullable=False),
    Col("ttft_seconds", Float),
    Col("seconds", Float, nullable=False),
    Col("tokens", Integer),
    Col("prompt", Text),  # both redacted, and only where the sampling switch is on
    Col("answer", Text),
    Col("checks", Text),  # JSON: what each check that was made found, true for something bad
    Col("created", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
FEEDBACK = Table(
    "feedback",
    METADATA,
    Col("query_id", String(128), primary_key=True),
    Col("user_hash", String(32), primary_key=True),
    Col("rating", Integer, nullable=False),
    Col("comment", Text),
    Col("created", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def async_url(url: str) -> str:
    """The address with the driver that we use: `sqlite:///file` and `postgresql://host/name` are enough.

    Raises:
        ValueError: neither SQLite nor PostgreSQL.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in (*SCHEMES, *SCHEMES.values()):
        raise ValueError("the database is neither sqlite:///FILE nor postgresql://USER@HOST/NAME")
    return f"{SCHEMES.get(scheme, scheme)}://{rest}"


@dataclass
class Store:
    engine: AsyncEngine

    @classmethod
    def at(cls, url: str, *, command_seconds: float | None = None) -> "Store":
        """Connects lazily; `command_seconds` bounds the wait for each of a server's answers once it has connected."""
        address = make_url(async_url(url))
        limits: dict[str, Any] = {"timeout": CONNECT_SECONDS}
        if address.get_backend_name() == "postgresql":  # SQLite's only wait is for a lock: `timeout` bounds that
            limits["command_timeout"] = command_seconds
        return cls(create_async_engine(address, connect_args=limits, pool_pre_ping=True, pool_timeout=CONNECT_SECONDS))

    async def migrate(self) -> None:
        """Bring the tables to the newest revision; pods that start together wait for each other.

        That may take long where there is much to change: it has a connection of its own, whose commands may.
        """
        engine = create_async_engine(self.engine.url, connect_args={"timeout": CONNECT_SECONDS}, poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.run_sync(upgraded)

    async def add_queries(self, rows: list[dict[str, Any]]) -> None:
        """Keep queries; an id that is there already stays as it was, but where that row was but a first one."""
        if rows:
            row = self.insert(QUERIES)
            said = {one: row.excluded[one] for one in rows[0] if one != "query_id"}
            kept = row.on_conflict_do_update(
                index_elements=["query_id"], set_=said, where=QUERIES.c.outcome == NOT_WRITTEN
            )
            async with self.engine.begin() as connection:
                for first in range(0, len(rows), AT_ONCE):
                    await connection.execute(kept, rows[first : first + AT_ONCE])

    async def record(self, query_id: str, prompt: str, answer: str) -> None:
        """Keep what was asked and answered beside the row of its query; both are redacted already."""
        kept = (
            update(QUERIES)
            .where(QUERIES.c.query_id == query_id)
            .values(prompt=storable(prompt), answer=storable(answer))
        )
        async with self.engine.begin() as connection:
            await connection.execute(kept)

    async def knows(self, query: str) -> bool:
        async with self.engine.connect() as connection:
            found = await connection.execute(select(QUERIES.c.query_id).where(QUERIES.c.query_id == query))
            return found.first() is not None

    async def rate(self, query: str, user_hash: str, rating: int, comment: str | None) -> None:
        """Returns when it is committed; saying it again replaces what the same user said of the same query."""
        said: dict[str, Any] = {"rating": rating, "comment": comment}
        row = self.insert(FEEDBACK).values(query_id=query, user_hash=user_hash, **said)
        async with self.engine.begin() as connection:
            await connection.execute(row.on_conflict_do_update(index_elements=["query_id", "user_hash"], set_=said))

    async def rated(self) -> list[dict[str, Any]]:
        """Every rating with the query that it is about, oldest first."""
        joined = FEEDBACK.join(QUERIES, FEEDBACK.c.query_id == QUERIES.c.query_id)
        about = [one for one in QUERIES.c if one.name not in ("query_id", "user_hash", "created")]
        asked = select(*FEEDBACK.c, *about).select_from(joined).order_by(FEEDBACK.c.created, FEEDBACK.c.query_id)
        async with self.engine.connect() as connection:
            return [plain(dict(row)) for row in (await connection.execute(asked)).mappings()]

    async def queries(self) -> list[dict[str, Any]]:
        """Every query, without what was asked and answered."""
        asked = select(*(one for one in QUERIES.c if one.name not in ("prompt", "answer")))
        async with self.engine.connect() as connection:
            return [plain(dict(row)) for row in (await connection.execute(asked)).mappings()]

    def insert(self, table: Table) -> Any:
        return (postgresql if self.engine.dialect.name == "postgresql" else sqlite).insert(table)


def storable(text: str) -> str:
    """PostgreSQL's texts hold no NUL, and no half characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: one.isoformat() if isinstance(one, datetime) else one for name, one in row.items()}


def upgraded(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
