"""`make bench ABUSE=1`: what clients that mean harm can do to the others, and that the engine never hears of it.

Each load runs beside ordinary users, who ask at a steady rate with a key of their own; so they do alone, before and
after each load. It is repeated until they have asked often enough for a p99.
The gateway has a core, which stays awake. The other one is shared by the users' process, the engine and the attacker's
process: that one runs only while the others rest (SCHED_IDLE), or users would wait for their own core, which no gateway
can help.
`--soak SECONDS` then repeats them in shorter rounds, each kept and judged, the gateway's memory too; `--only WORD` runs
the loads of that name.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from perf import awake, cpu, report
from perf.bench import attack, client, others, servers
from perf.bench.attack import Reply
from perf.bench.servers import Server
from perf.bench.verdict import Load, Round, judged
from perf.errors import Failed, PerfError
from perf.gate import say
from release import checkout

OUT = Path("build/bench")
REFUSED = ("refused_p99_ms", "refused_most_ms")
HEAD_SECONDS = BODY_SECONDS = 2  # of the gateway in this bench, for a head or a body that does not end
KEYS = {"users": others.KEY, "abuse": attack.KEY}


@dataclass(frozen=True)
class Pace:
    """Seconds of a load, at the least, and of the quiet before it."""

    load: float
    quiet: float


FIRST, SOAK = Pace(attack.LEAST_SECONDS, others.QUIET_SECONDS), Pace(4.0, 2.0)  # a soak's rounds are judged together


def keys(folder: Path) -> Path:
    file = folder / "keys.yaml"
    hashed = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
    file.write_text(json.dumps({"keys": [{"name": name, "sha256": one} for name, one in hashed.items()]}))
    return file


@contextlib.contextmanager
def guarded(theirs: Sequence[int], ours: Sequence[int]) -> Iterator[tuple[Server, Server]]:
    """A gateway with keys, and the fake engine behind it."""
    with tempfile.TemporaryDirectory() as folder, servers.blank(ours) as engine:
        told = {"KEYS_FILE": str(keys(Path(folder))), "MAX_INFLIGHT": "1024"}
        told |= {"HEAD_SECONDS": str(HEAD_SECONDS), "BODY_SECONDS": str(BODY_SECONDS)}
        with servers.gateway(theirs, engine.url, more=told) as gateway:
            yield gateway, engine


Work = Callable[[int], Awaitable[list[Reply]]]
SLOW_BODIES = f"{attack.SLOW} slow bodies of 1 MiB"
STREAMS = f"{attack.STREAMS} streams, {attack.CANCELLED} cancelled at once"
LOADS: dict[str, tuple[Work, tuple[int, ...]]] = {
    "n of a million": (attack.asking(n=10**6), (400,)),
    "max_tokens of a billion": (attack.asking(max_tokens=10**9), (400,)),
    "bodies of 20 MB": (attack.large, (413,)),
    "deep JSON": (attack.deep, (400,)),
    "image_url to a link-local address": (attack.image, (400,)),
    "header floods": (attack.headers, (431,)),
    "slow-loris": (attack.loris(HEAD_SECONDS), (408,)),
    SLOW_BODIES: (attack.slow_bodies, (400, 408, 429)),
    "500 idle connections": (attack.idle, ()),
    STREAMS: (attack.streams, (200, 429)),
}
# what one more of an attacker's key asks beside those who come all at once; a body of its own would find room, and wait
CROWDS = {SLOW_BODIES: attack.document(n=10**6), STREAMS: client.body(stream=False)}


async def passed(gateway: Server, engine: Server, names: Sequence[str], pace: Pace) -> Round:
    """Every load in turn, a quiet before each and behind the last; the engine must have nothing left to do then."""
    loop, loads, memory = asyncio.get_running_loop(), [], []
    sizes = {name: size for name, size in vars(attack).items() if isinstance(size, int | float)}
    before = (await attack.seen(engine.port))["abuse"]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        await loop.run_in_executor(other, os.getpid)  # it is there before anybody is measured
        quiets = [await others.alone(gateway.port, pace.quiet)]
        for name in names:
            wanted = LOADS[name][1]
            work = loop.run_in_executor(other, attacked, name, gateway.port, sizes, pace.load)
            loads.append(Load(name, *await others.beside(gateway.port, work, CROWDS.get(name, b"")), wanted=wanted))
            loads[-1].unfreed = await attack.unfreed(engine.port)
            memory.append(gateway.memory / 1e6)
            quiets.append(await others.alone(gateway.port, pace.quiet))
            say(f"{name}: others' p99 {loads[-1].others.ms(99):.1f} ms, alone {quiets[-1].ms(99):.1f} ms")
    saw = (await attack.seen(engine.port))["abuse"] - before
    return Round(loads, quiets, saw, memory, time.monotonic())


def attacked(name: str, port: int, sizes: Mapping[str, float], seconds: float) -> list[Reply]:
    """In a process of its own that yields, or what it does would hold up those whose waiting is measured."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    vars(attack).update(sizes)

    async def work() -> list[Reply]:
        found, until = await LOADS[name][0](port), time.monotonic() + seconds
        while time.monotonic() < until:
            found += await LOADS[name][0](port)
        return found

    return uvloop.run(work())


async def soaked(
    one: Callable[[Pace], Awaitable[Round]], seconds: float, clock: Callable[[], float] = time.monotonic
) -> list[Round]:
    """The first round, and as many as then begin within these seconds."""
    rounds = [await one(FIRST)]
    until = clock() + seconds
    while clock() < until:
        rounds.append(await one(SOAK))
    return rounds


async def run(asked: argparse.Namespace) -> dict[str, Any]:
    theirs, ours = cpu.split()
    os.sched_setaffinity(0, ours)
    cpu.unpaused()
    names = [name for name in LOADS if asked.only in name]
    with awake.cores(theirs[:1]), guarded(theirs[:1], ours) as (gateway, engine):
        await others.alone(gateway.port, FIRST.quiet)  # warm-up
        return judged(await soaked(lambda pace: passed(gateway, engine, names, pace), asked.soak), asked.soak)


def table(found: dict[str, Any]) -> str:
    lines = [f"{'load':<40} {'statuses':<24} {'refused p99':>12} {'most':>9} {'others p99':>12} {'of alone':>9}"]
    for name, one in found["loads"].items():
        statuses = ", ".join(f"{status} x {number}" for status, number in one["statuses"].items())
        refused = [f"{one[key]:.1f} ms" if one["refusals_timed"] else "-" for key in REFUSED]
        waited = f"{one['others_p99_ms']:>9.1f} ms {one['others_ratio']:>9.2f}"
        lines.append(f"{name:<40} {statuses:<24} {refused[0]:>12} {refused[1]:>9} {waited}")
    slope, rounds = found["memory_mb_per_hour"], len(found["rounds"])
    memory = f"memory {found['memory_mb'][-1]:.0f} MB" + ("" if slope is None else f", {slope:+.1f} MB an hour")
    alone = [one for round in found["rounds"] for one in round["quiets_p99_ms"]]
    spread = f"each of {len(alone)} times {min(alone):.1f} to {max(alone):.1f}"
    quiet = f"others alone: p99 {found['alone_p99_ms']:.1f} ms, {spread}"
    return "\n".join([*lines, f"{quiet}; {rounds} rounds; {memory}", *found["faults"]])


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
