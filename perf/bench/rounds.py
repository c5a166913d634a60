"""What is measured, round by round: every way to the engine once per round, the order turned each time."""

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from perf import cpu, engine, schedule
from perf.bench import client
from perf.bench.client import Answer
from perf.bench.servers import Server
from perf.errors import NotStarted
from perf.stats import percentile

Ways = Mapping[str, int]  # name -> port
Numbers = dict[str, float]
REQUESTS, STREAMED = 300, 60  # per way and round
CLIENTS = (4, 16)
# of each load, and how many times as often: what is compared lies next to each other, for a core that others share at
# its host does half as much in one second as in the next
LOAD_SECONDS, LOAD_TIMES = 0.5, 3
MOST_MS = 50.0  # a rate counts while its p99 is below
ITL_STREAMS, ITL_FRAMES, ITL_MS = 32, 200, 20  # one pause of the machine, which all meet, is half of a hundredth
PACED_STREAMS, PACED_MS, PACED_SECONDS = 60, 10, 3.0  # 6000 frames/s
USERS = 100  # requests to an engine that has just started
OPEN_STREAMS, OPEN_FRAMES, OPEN_MS, OPEN_SECONDS = 2000, 5, 1000, 3.0


@dataclass
class Raw:
    """Every round's figures by name; nothing is thrown away."""

    rounds: dict[str, list[Numbers]] = field(default_factory=dict)

    def add(self, name: str, numbers: Numbers) -> None:
        self.rounds.setdefault(name, []).append(numbers)

    def median(self, name: str, key: str) -> float:
        return statistics.median(one[key] for one in self.rounds[name])


def ms(seconds: Sequence[float], percent: float) -> float:
    return 1000 * (percentile(seconds, percent) or 0.0)


async def turned(ways: Ways, rounds: int, measure: Callable[[str, int], Awaitable[None]]) -> None:
    for name in schedule.rounds(list(ways), rounds):
        await measure(name, ways[name])


async def latency(raw: Raw, ways: Ways, rounds: int) -> None:
    """One client, short whole answers."""

    async def one(name: str, port: int) -> None:
        found = good(await client.sequential(port, client.body(stream=False), REQUESTS))
        seconds = [answer.seconds for answer in found]
        raw.add(f"latency.{name}", {"p50_ms": ms(seconds, 50), "p99_ms": ms(seconds, 99)})

    await turned(ways, rounds, one)


async def first_token(raw: Raw, ways: Ways, rounds: int) -> None:
    """One client, streams: the time to the first frame."""

    async def one(name: str, port: int) -> None:
        found = good(await client.sequential(port, client.body(stream=True), STREAMED))
        raw.add(f"ttft.{name}", {"p50_ms": ms([answer.ttft for answer in found], 50)})

    await turned(ways, rounds, one)


async def between_tokens(raw: Raw, ways: Ways, rounds: int) -> None:
    """Paced streams: how evenly the frames come."""
    asked = client.body(stream=True, frames=ITL_FRAMES, pause_ms=ITL_MS)

    async def one(name: str, port: int) -> None:
        found = good(await client.streams(port, asked, ITL_STREAMS))
        gaps = [gap for answer in found for gap in answer.gaps]
        raw.add(f"itl.{name}", {"p50_ms": ms(gaps, 50), "p99_ms": ms(gaps, 99)})

    await turned(ways, rounds, one)


async def throughput(raw: Raw, servers: Mapping[str, Server], rounds: int, cores: Sequence[int], url: str) -> None:
    """Clients that ask without a pause; each server, and the bare client, has the gateway's core to itself."""
    for _ in range(rounds * LOAD_TIMES):
        for clients in CLIENTS:
            await asyncio.to_thread(bare_client, raw, cores, url, clients)
            for name, server in servers.items():
                before = server.cpu_seconds
                found = await client.loaded(server.port, client.body(stream=False), clients, LOAD_SECONDS)
                spent = server.cpu_seconds - before
                raw.add(f"load.{name}.{clients}", {"failed": failed(found), **load(found, spent)})


def load(found: Sequence[Answer], spent: float) -> Numbers:
    wall = max(one.ended for one in found) - min(one.began for one in found)
    p99 = ms([one.seconds for one in found], 99)
    return {"rps": len(found) / wall, "p99_ms": p99, "cpu_ms": 1000 * spent / len(found), "cpu_share": spent / wall}


def best_rate(raw: Raw, name: str) -> float:
    """Requests per second at the best number of clients whose p99 is good and where nothing failed."""
    kept = []
    for clients in CLIENTS:
        tried = raw.rounds[f"load.{name}.{clients}"]
        if not sum(one["failed"] for one in tried) and statistics.median(one["p99_ms"] for one in tried) <= MOST_MS:
            kept.append(raw.median(f"load.{name}.{clients}", "rps"))
    return max(kept, default=0.0)


def bare_client(raw: Raw, cores: Sequence[int], url: str, clients: int) -> None:
    line = cpu.pinned(cores, sys.executable, "-m", "perf.bench.bare", url, str(LOAD_SECONDS), str(clients))
    done = subprocess.run(line, cwd=engine.ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    raw.add(f"load.bare_client.{clients}", {"failed": 0, "p99_ms": 0, **json.loads(done.stdout)})


async def paced_frames(raw: Raw, server: Server, rounds: int) -> None:
    """6000 frames/s, each a write of the engine's own: what one of them costs the gateway's core."""
    each = int(PACED_SECONDS * 1000 / PACED_MS)
    for _ in range(rounds):
        before = server.cpu_seconds
        asked = client.body(stream=True, frames=each, pause_ms=PACED_MS)
        found = await client.streams(server.port, asked, PACED_STREAMS)
        spent, frames = server.cpu_seconds - before, sum(one.frames for one in found)
        wall = max(one.ended for one in found) - min(one.began for one in found)
        raw.add("frames", {"frames": frames, "per_second": frames / wall, "per_cpu_second": frames / max(spent, 0.01)})


async def all_frames(raw: Raw, port: int, wanted: int) -> None:
    """As many frames as wanted."""
    each = max(1, wanted // PACED_STREAMS // 10)
    asked, lost, got, wall = client.body(stream=True, frames=each, pause_ms=4), 0, 0, 0.0
    while got + lost < wanted:
        found = await client.streams(port, asked, PACED_STREAMS)
        lost += sum(each + client.ENDING - one.frames for one in found)
        got += sum(one.frames for one in found)
        wall += max(one.ended for one in found) - min(one.began for one in found)
    raw.add("lost", {"lost": lost, "frames": got, "per_second": got / wall})


async def memory(raw: Raw, server: Server) -> None:
    """Resident memory of the gateway before, and while so many streams are open."""
    before, seen = server.memory, 0

    async def look() -> None:
        nonlocal seen
        await asyncio.sleep(OPEN_SECONDS)
        seen = server.memory

    asked = client.body(stream=True, frames=OPEN_FRAMES, pause_ms=OPEN_MS)
    found, _ = await asyncio.gather(client.streams(server.port, asked, OPEN_STREAMS), look())
    raw.add("memory", {"before_mb": before / 1e6, "open_mb": seen / 1e6, "failed": cut(found, OPEN_FRAMES)})


async def tokens(raw: Raw, ways: Ways, rounds: int, model: str, clients: int = 8) -> None:
    """Tokens per second of a real engine, streams of 48 tokens, as many clients each time."""

    async def one(name: str, port: int) -> None:
        asked = client.body(stream=True, frames=48, model=model)
        found = [answer for _ in range(3) for answer in good(await client.streams(port, asked, clients))]
        wall = max(answer.ended for answer in found) - min(answer.began for answer in found)
        raw.add(f"tokens.{name}", {"per_second": 48 * len(found) / wall})

    await turned(ways, rounds, one)


async def first_users(raw: Raw, port: int, model: str) -> None:
    """The first requests of users after an engine's warm-up, one after the other, in their order."""
    asked = client.body(stream=True, frames=16, model=model)
    for one in good(await client.sequential(port, asked, USERS)):
        raw.add("users", {"ms": 1000 * one.seconds, "ttft_ms": 1000 * one.ttft})


def failed(found: Sequence[Answer]) -> int:
    return sum(one.status != 200 for one in found)


def cut(found: Sequence[Answer], frames: int) -> int:
    """Streams that failed, or ended before all of their frames."""
    return sum(one.status != 200 or one.frames != frames + client.ENDING for one in found)


def good(found: list[Answer]) -> list[Answer]:
    """A latency of a failure is none."""
    if bad := failed(found):
        raise NotStarted(f"{bad} of {len(found)} requests of the bench were not answered with 200")
    return found
