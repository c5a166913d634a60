"""Ordinary users beside a load: each asks on a schedule, and waits from the moment at which its request was due.

Whoever asks only after the last answer asks less when answers are slow: of a gateway that stands still for a fifth of
a second it would see one slow request for each user, instead of the ten that came meanwhile. And whoever asks every so
many milliseconds meets what happens every so many either always or never: the pauses are drawn.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from random import Random

from perf.bench import attack, client
from perf.bench.attack import Reply
from perf.bench.client import Link
from perf.stats import percentile

KEY = "sk-users"
USERS, EVERY = 4, 0.02  # seconds between two requests of each, on average; all together one every 5 ms
QUIET_SECONDS = 4.0  # how long they are alone, each time


@dataclass
class Others:
    waits: list[float] = field(default_factory=list)  # seconds
    failed: int = 0

    def ms(self, percent: float) -> float:
        return 1000 * (percentile(self.waits, percent) or 0.0)


async def asking(port: int, links: Sequence[Link], over: asyncio.Event) -> Others:
    """Ordinary requests at a steady rate until it is over."""
    asked, found, begin = client.body(stream=False), Others(), time.perf_counter()

    async def one(link: Link, due: float, pauses: Random) -> None:
        while not over.is_set():
            since = due
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
                since = time.perf_counter()  # what the timer was late by is ours, and not the gateway's
            try:
                answer = await link.ask(asked)
                found.waits.append(answer.ended - since)
                found.failed += answer.status != 200
            except OSError:
                found.failed += 1
                link = await again(port, link)
            due += pauses.uniform(0, 2 * EVERY)

    drawn = [Random(number) for number in range(len(links))]  # noqa: S311 - the same ones in every run
    shares = [EVERY * number / len(links) for number in range(len(links))]
    await asyncio.gather(
        *(one(link, begin + share, some) for link, share, some in zip(links, shares, drawn, strict=True))
    )
    return found


async def again(port: int, lost: Link) -> Link:
    """A connection in the place of a lost one, which is tried again where nobody listens."""
    with contextlib.suppress(OSError):
        lost.close()
        (link,) = await client.opened(port, 1)
        link.head = lost.head
        return link
    return lost


async def beside(port: int, work: Awaitable[list[Reply]], crowd: bytes = b"") -> tuple[list[Reply], Others]:
    """What the work gave, and how the others fared meanwhile; `crowd` is what one more of its key asks, see `lone`."""
    links, over = await client.opened(port, USERS + 1), asyncio.Event()
    for link in links:
        link.authorize(KEY)
    others = asyncio.create_task(asking(port, links[:USERS], over))
    one = asyncio.create_task(lone(port, links[USERS], crowd, over))
    try:
        replies = await work
    finally:
        over.set()
        found, alone = await asyncio.gather(others, one)
        client.closed(links)
    return replies + alone, found


async def lone(port: int, link: Link, asked: bytes, over: asyncio.Event) -> list[Reply]:
    """Requests of the crowd's key, one at a time and from here: how soon each is refused that is no part of the crowd.

    The crowd's own process has a thousand refusals to read at once and yields to all others, so what it would measure
    is itself. A request that finds a place is answered: it is a reply, and no refusal.
    """
    found = list[Reply]()
    link.authorize(attack.KEY)
    while asked and not over.is_set():
        began = time.perf_counter()
        try:
            answer = await link.ask(asked)
            found.append(Reply(answer.status, answer.seconds))
        except OSError:
            found.append(Reply(0, time.perf_counter() - began))
            link = await again(port, link)
        await asyncio.sleep(EVERY)
    return found


async def alone(port: int, seconds: float) -> Others:
    async def quiet() -> list[Reply]:
        await asyncio.sleep(seconds)
        return []

    return (await beside(port, quiet()))[1]
