"""Ties what users say to the answer that they got: remembers queries, writes them beside the hot path."""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from app.exchange import Exchange
from app.slots import Slots
from app.store import NOT_WRITTEN, Store

EVERY_SECONDS = 0.5
LOOKS = 4  # for a query of another pod, which writes it within two rounds: that often, a round between
AT_ONCE = 100  # ratings; places of their own, so that a database that hangs takes none from generations
COMMAND_SECONDS = 2  # for the database to answer once
KEPT = 50_000  # queries that wait for a database that is down; beyond it the oldest go
DOWN = (SQLAlchemyError, OSError, TimeoutError)
LOG = structlog.get_logger()


@dataclass
class Recorder:
    """Knows queries from their start; `run` writes the ended ones, and waits for a database that is down."""

    store: Store
    salt: str
    lost: Counter
    waiting: deque[tuple[str, str, Exchange]] = field(default_factory=deque)
    migrated: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    slots: Slots = field(default_factory=lambda: Slots(AT_ONCE))
    flushing: asyncio.Lock = field(default_factory=asyncio.Lock)  # Alembic migrates once at a time in a process

    def begin(self, query: str, user: str, exchange: Exchange) -> None:
        if len(self.waiting) >= KEPT:
            self.waiting.popleft()
            self.lost.inc()
        self.waiting.append((query, user_hash(user, self.salt), exchange))

    async def run(self) -> None:
        """Until `ending` is set, and once more: a cancelled one would leave a connection behind that nobody closes."""
        down = last = False
        while not last:
            last = self.ending.is_set()
            try:
                await self.flush(last=last)
                down = False
            except DOWN as error:
                if not down:
                    LOG.warning("database down: queries wait", error=type(error).__name__)
                down = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), EVERY_SECONDS)

    async def flush(self, *, last: bool = False) -> None:
        """Write what has ended and was looked at; what the database did not take stays for the next time.

        With `last` what nobody will look at any more is written too.
        """
        async with self.flushing:
            await self.ready()
            ended = [one for one in self.waiting if one[2].over_with and (last or not one[2].looking)]
            await self.store.add_queries([row(*one) for one in ended])
            done = {id(one) for one in ended}
            self.waiting = deque(one for one in self.waiting if id(one) not in done)

    async def ready(self) -> None:
        if not self.migrated.is_set():
            await self.store.migrate()
            self.migrated.set()

    async def knows(self, query: str) -> bool:
        """Whether this pod has begun it, or another has written it; users may be faster than its row.

        What was begun here has a row from now on: no rating may outlive what it is about when this pod is killed.
        """
        await self.migrated.wait()  # for `run`, which nobody's leaving interrupts
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(EVERY_SECONDS)
            if held := [one for one in self.waiting if one[0] == query]:
                await self.store.add_queries([{**row(*held[0]), "outcome": NOT_WRITTEN}])
                return True
            if await self.store.knows(query):
                return True
        return False


def row(query: str, user: str, exchange: Exchange) -> dict[str, Any]:
    version, revision = exchange.given_by
    return {
        "query_id": query,
        "user_hash": user,
        "version": version,
        "revision": revision,
        "arm": exchange.arm,
        "variant": exchange.variant,
        "trace_id": exchange.trace.id,
        "outcome": exchange.ended,
        "ttft_seconds": exchange.first,
        "seconds": exchange.took,
        "tokens": exchange.tokens,
        "checks": json.dumps(exchange.checks) if exchange.checks else None,
    }


def user_hash(user: str, salt: str) -> str:
    """What is kept instead of a user's id; '' without one: then everybody is the same nobody."""
    if not user:
        return ""
    return hashlib.blake2b(f"{salt}\0feedback\0{user}".encode(), digest_size=16).hexdigest()


@asynccontextmanager
async def recording(url: str, salt: str, lost: Counter) -> AsyncIterator[Recorder | None]:
    """A recorder that writes as long as the application runs; none without a database."""
    if not url:
        yield None
        return
    recorder = Recorder(Store.at(url, command_seconds=COMMAND_SECONDS), salt, lost)
    writing = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        recorder.ending.set()
        await writing
        if recorder.waiting:
            lost.inc(len(recorder.waiting))
            LOG.warning("database down: queries lost", queries=len(recorder.waiting))
        with suppress(TimeoutError):  # one that hangs does not say goodbye either, on any of its connections
            async with asyncio.timeout(COMMAND_SECONDS):
                await recorder.store.engine.dispose()
