"""`make bench`: what the gateway adds to an engine, in one go and interleaved.

Gateway, splice and bare server have one core; the client and the fake engine have the other. With the real vLLM the
engine has a core of its own, and client and gateway share the other.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from perf import awake, cpu, engine, report
from perf.bench import profile, results, rounds, servers
from perf.bench.rounds import Raw
from perf.errors import Failed, PerfError
from perf.gate import say
from release import checkout

OUT = Path("build/bench")


def options(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m perf.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=1_000_000, help="over which lost ones are counted")
    parser.add_argument("--engine", default=str(engine.ROOT), help="the real engine; `none` leaves it out")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args(given)


async def against_the_blank(raw: Raw, asked: argparse.Namespace, theirs: Sequence[int], ours: Sequence[int]) -> None:
    with contextlib.ExitStack() as stack:
        start = stack.enter_context
        blank = start(servers.blank(ours))
        gateway = start(servers.gateway(theirs, blank.url))
        splice, bare = start(servers.splice(theirs, blank.port)), start(servers.bare(theirs))
        ways = {results.DIRECT: blank.port, results.SPLICE: splice.port, results.GATEWAY: gateway.port}
        say("latency at one client, whole answers and streams")
        await rounds.latency(Raw(), ways, 1)  # warm-up
        await rounds.latency(raw, ways, asked.rounds)
        await rounds.first_token(raw, ways, asked.rounds)
        say("time between tokens")
        await rounds.between_tokens(raw, ways, asked.rounds)
        say("requests per second")
        loaded = {"bare_asgi": bare, results.GATEWAY: gateway, results.DIRECT: blank}
        await rounds.throughput(raw, loaded, asked.rounds, theirs, blank.url + "/v1/chat/completions")
        say("frames per second")
        await rounds.paced_frames(raw, gateway, asked.rounds)
        say(f"{asked.frames} frames, none of which may be lost")
        await rounds.all_frames(raw, gateway.port, asked.frames)
        say(f"{rounds.OPEN_STREAMS} open streams")
        await rounds.memory(raw, gateway)


async def against_the_engine(raw: Raw, asked: argparse.Namespace, theirs: Sequence[int], ours: Sequence[int]) -> None:
    log = asked.out / "engine.log"
    with engine.running(asked.engine, theirs, log) as real:
        say("waiting for the real engine")
        engine.ready(real, log)
        engine.warm(real)
        with servers.gateway(ours, real.url, real.model) as gateway:
            say("the first request of a user, and the hundredth")
            await rounds.first_users(raw, gateway.port, real.model)
            ways = {results.DIRECT: int(real.url.rpartition(":")[2]), results.GATEWAY: gateway.port}
            say("tokens per second of the real engine")
            await rounds.tokens(Raw(), ways, 1, real.model)  # warm-up
            await rounds.tokens(raw, ways, asked.rounds * 2, real.model)


async def profiled(theirs: Sequence[int], ours: Sequence[int]) -> list[str]:
    with servers.blank(ours) as blank, servers.gateway(theirs, blank.url) as gateway:
        return await profile.taken(gateway)


async def bench(asked: argparse.Namespace) -> dict[str, str]:
    theirs, ours = cpu.split()
    theirs = theirs[:1]
    os.sched_setaffinity(0, ours)
    began, raw = checkout.origin(), Raw()
    with awake.cores(theirs):  # theirs alone: with both of them awake nothing was faster
        await against_the_blank(raw, asked, theirs, ours)
        if asked.engine != "none":
            await against_the_engine(raw, asked, theirs, ours)
    found = results.figures(raw)
    states = results.states(found, raw)
    where = await profiled(theirs, ours) if results.missed(states) else []
    report.save(results.document(found, raw, began, where), asked.out / "report.json")
    (asked.out / "profile.txt").write_text("\n".join(where) + "\n")
    print(results.table(found, states))  # noqa: T201
    return states


def main(given: Sequence[str] | None = None) -> int:
    asked = options(given)
    asked.out.mkdir(parents=True, exist_ok=True)
    try:
        states = uvloop.run(bench(asked))
        if missed := [f"{name} {states[name]}" for name in results.missed(states)]:
            raise Failed(f"{'; '.join(missed)}; {asked.out / 'profile.txt'} says where the time goes")
    except PerfError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.code
    say(f"all targets met; the report is {asked.out / 'report.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
