"""Ordinary users beside a load: each asks on a schedule, and waits from the moment at which its request was due.

Whoever asks only after the last answer asks less when answers are slow: of a gateway that stands still for a fifth of
a second it would see one slow request for each user, instead of the ten that came meanwhile.
"""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from perf.bench import client
from perf.bench.attack import Reply
from perf.bench.client import Link
from perf.stats import percentile

KEY = "sk-users"
USERS, EVERY = 4, 0.02  # seconds between two requests of each; all together one every 5 ms
QUIET_SECONDS = 8.0  # how long they are alone


@dataclass
class Others:
    waits: list[float] = field(default_factory=list)  # seconds
    failed: int = 0

    def ms(self, percent: float) -> float:
        return 1000 * (percentile(self.waits, percent) or 0.0)


async def asking(links: Sequence[Link], over: asyncio.Event) -> Others:
    """Ordinary requests at a steady rate until it is over."""
    asked, found, begin = client.body(stream=False), Others(), time.perf_counter()

    async def one(link: Link, due: float) -> None:
        while not over.is_set():
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
                due = time.perf_counter()  # what the timer was late by is ours, and not the gateway's
            answer = await link.ask(asked)
            found.waits.append(answer.ended - due)
            found.failed += answer.status != 200
            due += EVERY

    await asyncio.gather(*(one(link, begin + EVERY * index / len(links)) for index, link in enumerate(links)))
    return found


async def beside(port: int, work: Awaitable[list[Reply]]) -> tuple[list[Reply], Others]:
    """What the work gave, and how the others fared meanwhile."""
    links, over = await client.opened(port, USERS), asyncio.Event()
    for link in links:
        link.authorize(KEY)
    others = asyncio.create_task(asking(links, over))
    try:
        replies = await work
    finally:
        over.set()
        found = await others
        client.closed(links)
    return replies, found


async def alone(port: int) -> Others:
    async def quiet() -> list[Reply]:
        await asyncio.sleep(QUIET_SECONDS)
        return []

    return (await beside(port, quiet()))[1]
