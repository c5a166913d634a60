"""Ties what users say to the answer that they got: remembers queries, writes them beside the hot path."""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.exchange import Exchange
from app.store import Store

EVERY_SECONDS = 0.5
KEPT = 50_000  # queries that wait for a database that is down; beyond it the oldest go
DOWN = (SQLAlchemyError, OSError, TimeoutError)
LOG = structlog.get_logger()


@dataclass
class Recorder:
    """Knows queries from their start; `run` writes the ended ones, and waits for a database that is down."""

    store: Store
    salt: str
    waiting: deque[tuple[str, str, Exchange, str]] = field(default_factory=lambda: deque(maxlen=KEPT))
    migrated: bool = False
    flushing: asyncio.Lock = field(default_factory=asyncio.Lock)  # Alembic migrates once at a time in a process

    def begin(self, query: str, user: str, exchange: Exchange, variant: str = "") -> None:
        self.waiting.append((query, user_hash(user, self.salt), exchange, variant))

    async def run(self) -> None:
        down = False
        while True:
            try:
                await self.flush()
                down = False
            except DOWN as error:
                if not down:
                    LOG.warning("database down: queries wait", error=type(error).__name__)
                down = True
            await asyncio.sleep(EVERY_SECONDS)

    async def flush(self) -> None:
        """Write what has ended; what the database did not take stays for the next time."""
        async with self.flushing:
            await self.flushed()

    async def flushed(self) -> None:
        await self.ready()
        ended = [one for one in self.waiting if one[2].ended is not None]
        await self.store.add_queries([row(*one) for one in ended])
        done = {id(one) for one in ended}
        self.waiting = deque((one for one in self.waiting if id(one) not in done), maxlen=KEPT)

    async def ready(self) -> None:
        if not self.migrated:
            await self.store.migrate()
            self.migrated = True

    async def knows(self, query: str) -> bool:
        await self.flush()
        return any(one[0] == query for one in self.waiting) or await self.store.knows(query)


def row(query: str, user: str, exchange: Exchange, variant: str) -> dict[str, Any]:
    _, release, _, arm, _ = exchange.where
    version, _, revision = release.rpartition("-r")
    return {
        "query_id": query,
        "user_hash": user,
        "version": version,
        "revision": revision,
        "arm": arm,
        "variant": variant,
        "trace_id": exchange.trace.id,
        "outcome": exchange.ended,
        "ttft_seconds": exchange.first,
        "seconds": exchange.took,
        "tokens": exchange.tokens,
    }


def user_hash(user: str, salt: str) -> str:
    """What is kept instead of a user's id; without an id everybody is the same nobody."""
    return hashlib.blake2b(f"{salt}\0feedback\0{user}".encode(), digest_size=16).hexdigest()


@asynccontextmanager
async def recording(url: str, salt: str) -> AsyncIterator[Recorder | None]:
    """A recorder that writes as long as the application runs; none without a database."""
    if not url:
        yield None
        return
    recorder = Recorder(Store.at(url), salt)
    writing = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        try:
            await recorder.flush()  # what ended within the last moment
        except DOWN:
            LOG.warning("database down: queries lost", queries=len(recorder.waiting))
        await recorder.store.engine.dispose()
