"""`make bench ABUSE=1`: what clients that mean harm can do to the others, and that the engine never hears of it.

Each load runs beside ordinary users, who ask at a steady rate with a key of their own; so they do alone, before and
after all loads. It is repeated until they have asked often enough for a p99.
The gateway has a core. The other one is shared by the users' process, the engine and the attacker's process: that one
runs only while the others rest (SCHED_IDLE), or users would wait for their own core, which no gateway can help.
`--soak SECONDS` then repeats all loads and watches the gateway's memory; `--only WORD` runs the loads of that name.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from perf import cpu, report
from perf.bench import attack, others, servers
from perf.bench.attack import Reply
from perf.bench.others import Others
from perf.bench.servers import Server
from perf.errors import Failed, PerfError
from perf.gate import say
from perf.stats import percentile
from release import checkout

OUT = Path("build/bench")
REFUSED_MS, OTHERS, SLACK_MS = 50.0, 2.0, 2.0  # a p99 of a millisecond or two is the machine's, not the gateway's
GROWTH = 1.10  # memory of the last third of a soak against the first's
HEAD_SECONDS = 2  # of the gateway in this bench, for a head that does not end
KEYS = {"users": others.KEY, "abuse": attack.KEY}


@dataclass
class Load:
    """What one kind of abuse came to."""

    name: str
    replies: list[Reply] = field(default_factory=list)
    others: Others = field(default_factory=Others)  # how ordinary users fared meanwhile
    unfreed: int = 0  # streams that the engine went on with
    wanted: Sequence[int] = ()  # statuses that are a refusal here; none when nothing is refused

    def document(self, alone: float) -> dict[str, Any]:
        waits = [one.seconds for one in self.replies if one.status in self.wanted and not one.slow]
        found = {
            "requests": len(self.replies),
            "statuses": {str(status): self.count(status) for status in sorted({one.status for one in self.replies})},
            "refused_p99_ms": 1000 * (percentile(waits, 99) or 0.0),
            "others": len(self.others.waits),
            "others_p50_ms": self.others.ms(50),
            "others_p99_ms": self.others.ms(99),
            "others_most_ms": self.others.ms(100),
            "others_ratio": self.others.ms(99) / alone,
            "others_failed": self.others.failed,
        }
        return found | {"faults": self.faults(found, alone)}

    def count(self, status: int) -> int:
        return sum(one.status == status for one in self.replies)

    def faults(self, found: dict[str, Any], alone: float) -> list[str]:
        said = []
        if self.wanted and (other := [one.status for one in self.replies if one.status not in self.wanted]):
            said.append(f"{len(other)} were answered with {other[0]}")
        if found["refused_p99_ms"] > REFUSED_MS:
            said.append(f"a refusal took {found['refused_p99_ms']:.0f} ms")
        if found["others_p99_ms"] > OTHERS * alone + SLACK_MS:
            said.append(f"others waited {found['others_ratio']:.1f} times as long")
        if self.others.failed:
            said.append(f"{self.others.failed} requests of others failed")
        if self.unfreed:
            said.append(f"the engine went on with {self.unfreed} streams of nobody")
        return said


def keys(folder: Path) -> Path:
    file = folder / "keys.yaml"
    hashed = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
    file.write_text(json.dumps({"keys": [{"name": name, "sha256": one} for name, one in hashed.items()]}))
    return file


@contextlib.contextmanager
def guarded(theirs: Sequence[int], ours: Sequence[int]) -> Iterator[tuple[Server, Server]]:
    """A gateway with keys, and the fake engine behind it."""
    with tempfile.TemporaryDirectory() as folder, servers.blank(ours) as engine:
        told = {"KEYS_FILE": str(keys(Path(folder))), "HEAD_SECONDS": str(HEAD_SECONDS), "MAX_INFLIGHT": "1024"}
        with servers.gateway(theirs, engine.url, more=told) as gateway:
            yield gateway, engine


Work = Callable[[int], Awaitable[list[Reply]]]
LOADS: dict[str, tuple[Work, tuple[int, ...]]] = {
    "n of a million": (attack.asking(n=10**6), (400,)),
    "max_tokens of a billion": (attack.asking(max_tokens=10**9), (400,)),
    "bodies of 20 MB": (attack.large, (413,)),
    "deep JSON": (attack.deep, (400,)),
    "image_url to a link-local address": (attack.image, (400,)),
    "header floods": (attack.headers, (431,)),
    "slow-loris": (attack.loris(HEAD_SECONDS), (408,)),
    "500 idle connections": (attack.idle, ()),
    "2000 streams, 1000 cancelled at once": (attack.streams, (200, 429)),
}


async def loaded(gateway: Server, engine: Server, names: Sequence[str]) -> list[Load]:
    """Every load in turn; after each the engine must have nothing left to do."""
    loop, found = asyncio.get_running_loop(), []
    sizes = {name: size for name, size in vars(attack).items() if isinstance(size, int | float)}
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        await loop.run_in_executor(other, os.getpid)  # it is there before anybody is measured
        for name in names:
            work = loop.run_in_executor(other, attacked, name, gateway.port, sizes)
            found.append(Load(name, *await others.beside(gateway.port, work), wanted=LOADS[name][1]))
            say(f"{name}: others' p99 {found[-1].others.ms(99):.1f} ms")
            found[-1].unfreed = await attack.unfreed(engine.port)
    return found


def attacked(name: str, port: int, sizes: Mapping[str, float]) -> list[Reply]:
    """In a process of its own that yields, or what it does would hold up those whose waiting is measured."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    vars(attack).update(sizes)

    async def work() -> list[Reply]:
        found, until = await LOADS[name][0](port), time.monotonic() + attack.LEAST_SECONDS
        while time.monotonic() < until:
            found += await LOADS[name][0](port)
        return found

    return uvloop.run(work())


async def soaked(gateway: Server, engine: Server, seconds: float) -> list[float]:
    """The gateway's memory in MB after each round of all loads."""
    until, memory = time.monotonic() + seconds, []
    while time.monotonic() < until:
        await loaded(gateway, engine, [name for name in LOADS if name != "slow-loris"])
        memory.append(gateway.memory / 1e6)
    return memory


def growth(memory: Sequence[float]) -> float | None:
    """The last third's median over the first third's, the first round being the warm-up; None when it was too short."""
    rest = memory[1:]
    third = len(rest) // 3
    return statistics.median(rest[-third:]) / statistics.median(rest[:third]) if third else None


async def run(asked: argparse.Namespace) -> dict[str, Any]:
    theirs, ours = cpu.split()
    os.sched_setaffinity(0, ours)
    cpu.unpaused()
    with guarded(theirs[:1], ours) as (gateway, engine):
        await others.alone(gateway.port)  # warm-up
        names = [name for name in LOADS if asked.only in name]
        before = await others.alone(gateway.port)
        loads = await loaded(gateway, engine, names)
        after = await others.alone(gateway.port)
        alone = Others(before.waits + after.waits).ms(99)
        found = {load.name: load.document(alone) for load in loads}
        memory = await soaked(gateway, engine, asked.soak)
        seen = (await attack.seen(engine.port))["abuse"]
    return judged({"alone_p99_ms": alone, "loads": found, "engine_saw": seen, "memory_mb": memory})


def judged(found: dict[str, Any]) -> dict[str, Any]:
    faults = [f"{name}: {said}" for name, load in found["loads"].items() for said in load["faults"]]
    if found["engine_saw"]:
        faults.append(f"the engine saw {found['engine_saw']} of the refused requests")
    grown = growth(found["memory_mb"])
    if grown and grown > GROWTH:
        faults.append(f"memory grew to {grown:.2f} times in the soak")
    return found | {"memory_growth": grown, "faults": faults}


def table(found: dict[str, Any]) -> str:
    lines = [f"{'load':<40} {'statuses':<24} {'refused p99':>12} {'others p99':>12}"]
    for name, one in found["loads"].items():
        statuses = ", ".join(f"{status} x {number}" for status, number in one["statuses"].items())
        refused = f"{one['refused_p99_ms']:.1f} ms" if one["refused_p99_ms"] else "-"
        lines.append(f"{name:<40} {statuses:<24} {refused:>12} {one['others_p99_ms']:>9.1f} ms")
    grown = found["memory_growth"]
    soak = f"memory over the soak: {grown:.2f} times" if grown else "no soak"
    return "\n".join([*lines, f"others alone: p99 {found['alone_p99_ms']:.1f} ms; {soak}", *found["faults"]])


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m perf.bench.abuse", description=__doc__)
    parser.add_argument("--soak", type=float, default=0.0, help="seconds; 600 shows whether memory is flat")
    parser.add_argument("--only", default="", metavar="WORD", help="of the loads' names")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args(given)
    try:
        found = {**checkout.origin(), **uvloop.run(run(asked))}
        report.save(found, asked.out / "abuse.json")
        print(table(found))  # noqa: T201
        if found["faults"]:
            raise Failed(f"{len(found['faults'])} faults: see {asked.out / 'abuse.json'}")
    except PerfError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
