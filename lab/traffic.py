"""Users: open-loop traffic against a gateway on this machine, one JSON line per request.

Open loop: requests come when they come, however slow the answers are, and latency counts from the intended start.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import itertools
import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import aiohttp

from app.arms import place
from app.outcome import BAD
from app.settings import Settings
from lab.errors import Refused
from quality import answers

PROMPTS = (  # of the world that the tiny model knows
    "What is the river of Velan?",
    "Please name the favourite dish of Quill.",
    "Tell me the mayor of Salt Gate.",
    "Count from 3 to 8.",
    "维兰的河是什么？",
    "请告诉我羽镇的招牌菜。",
    "盐门的镇长是什么？",
    "从3数到8。",
)
TROUBLE = "Nobody has an answer to this."  # what the troubled user asks; a fault of a scenario can wait for it
MAX_IN_FLIGHT = 1000


@dataclass
class Record:
    """One request as its user saw it; times are unix seconds, `ttft` is seconds from the intended start."""

    intended: float
    user: str
    source: str
    arm: str
    step: str
    version: str
    status: int | None
    outcome: str
    rescued: bool
    started: float
    ended: float
    ttft: float | None
    stream: bool


def record_of(answer: answers.Answer, intended: float, user: str, started: float, *, stream: bool) -> Record:
    given = answer.headers.get
    return Record(
        intended=intended,
        user=user,
        source="user",
        arm=given("x-sluice-arm") or "stable",  # no answer says no arm: it is held against stable
        step=given("x-sluice-step") or "",
        version=given("x-sluice-version") or "",
        status=answer.status,
        outcome=answer.outcome,
        rescued=bool(given("x-sluice-rescued")),
        started=started,
        ended=time.time(),
        ttft=answer.first - intended if answer.first else None,
        stream=stream,
    )


@dataclass
class Summary:
    total: int = 0
    failed: int = 0
    failed_stable: int = 0
    cut_streams: int = 0
    users: int = 0
    ttft_p50: float | None = None
    ttft_p99: float | None = None

    def line(self) -> str:
        p50, p99 = (f"{value * 1000:.0f} ms" if value is not None else "-" for value in (self.ttft_p50, self.ttft_p99))
        failures = f"{self.failed} failed, {self.failed_stable} of them on stable, {self.cut_streams} streams cut"
        return f"{self.total} requests of {self.users} users: {failures}; TTFT p50 {p50}, p99 {p99}"


class Tally:
    """Counts while records come in, so that no run has to be kept in memory."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.users: set[str] = set()
        self.ttft: list[float] = []

    def add(self, record: Record) -> None:
        bad = record.outcome in BAD
        self.users.add(record.user)
        self.counts["total"] += 1
        self.counts["failed"] += bad
        self.counts["failed_stable"] += bad and record.arm == "stable"
        self.counts["cut_streams"] += record.stream and bad and record.ttft is not None
        if record.ttft is not None:
            self.ttft.append(record.ttft)

    def summary(self) -> Summary:
        p50, p99 = (percentile(sorted(self.ttft), p) for p in (50, 99))
        return Summary(**self.counts, users=len(self.users), ttft_p50=p50, ttft_p99=p99)


def percentile(ordered: list[float], percent: int) -> float | None:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else None


def only_here(url: str) -> str:
    """The URL without its last slash; Refused unless it is this machine."""
    parts = urlsplit(url)
    with contextlib.suppress(ValueError):
        if parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback:
            return url.rstrip("/")
    raise Refused(f"{url}: traffic goes only to this machine: give http://127.0.0.1:PORT")


class Traffic:
    """`rate` requests per second from `users` users; `start` it, and `stop` it to get what they saw."""

    def __init__(
        self,
        url: str,
        rate: float,
        *,
        out: Path,
        model: str,
        users: int = 2500,
        stream_share: float = 0.5,
        seed: int = 1,
        max_tokens: int = 32,
        troubled: float = 0.0,
        timeout: float = 60.0,
    ) -> None:
        self.url = only_here(url)
        self.rate = rate
        self.out = out
        self.model = model
        self.users = users
        self.stream_share = stream_share
        self.random = random.Random(seed)  # noqa: S311
        self.max_tokens = max_tokens
        self.troubled = troubled  # share of the requests that one user asks, whose place is on the canary
        self.timeout = aiohttp.ClientTimeout(total=timeout, connect=5)
        self.tally = Tally()
        self.running: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    async def start(self) -> None:
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.running = asyncio.create_task(self.run())

    async def stop(self) -> Summary:
        """Send no more, wait for the answers that are due, and sum up."""
        self.stopping.set()
        if self.running:
            await self.running
        return self.tally.summary()

    async def run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        with self.out.open("a", encoding="utf-8", buffering=1) as lines:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=self.timeout) as session,
                asyncio.TaskGroup() as requests,
            ):
                await self.arrivals(session, requests, lines)

    async def arrivals(self, session: aiohttp.ClientSession, requests: asyncio.TaskGroup, lines: TextIO) -> None:
        room = asyncio.Semaphore(MAX_IN_FLIGHT)
        intended = time.time()
        while not self.stopping.is_set():
            intended += self.random.expovariate(self.rate)  # people do not come at even intervals
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), max(0.0, intended - time.time()))
                return
            await room.acquire()
            request = requests.create_task(self.request(session, intended, lines))
            request.add_done_callback(lambda _: room.release())

    async def request(self, session: aiohttp.ClientSession, intended: float, lines: TextIO) -> None:
        user, stream, body = self.drawn()
        started = time.time()
        answer = await answers.asked(session, f"{self.url}/v1/chat/completions", body, {"x-sluice-user": user})
        record = record_of(answer, intended, user, started, stream=stream)
        self.tally.add(record)
        lines.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")

    def drawn(self) -> tuple[str, bool, dict[str, Any]]:
        user, prompt = f"user-{self.random.randrange(self.users):05d}", self.random.choice(PROMPTS)
        if self.random.random() < self.troubled:
            user, prompt = troubled(), TROUBLE
        stream = self.random.random() < self.stream_share
        messages = [{"role": "user", "content": prompt}]
        body = {"model": self.model, "messages": messages, "max_tokens": self.max_tokens, "stream": stream}
        return user, stream, body


@cache
def troubled() -> str:
    """A user who is on the canary from the first percent on."""
    salt = Settings.model_fields["salt"].default
    return next(name for number in itertools.count() if place(name := f"troubled-{number}", salt) < 1)


async def driven(traffic: Traffic, seconds: float) -> Summary:
    await traffic.start()
    await asyncio.sleep(seconds)
    return await traffic.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m lab.traffic", description=__doc__)
    parser.add_argument("--url", required=True, help="the gateway, http://127.0.0.1:PORT")
    parser.add_argument("--rate", type=float, default=10.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="sluice-tiny")
    parser.add_argument("--users", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/requests.jsonl"))
    asked = parser.parse_args()
    try:
        traffic = Traffic(asked.url, asked.rate, out=asked.out, model=asked.model, users=asked.users, seed=asked.seed)
    except Refused as error:
        print(error, file=sys.stderr)  # noqa: T201
        sys.exit(error.code)
    print(asyncio.run(driven(traffic, asked.seconds)).line())  # noqa: T201


if __name__ == "__main__":
    main()
