"""What the rounds come to: named figures, each with its target, and a table."""

import functools
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from perf.bench import rounds
from perf.bench.rounds import Raw

GATEWAY, SPLICE, DIRECT = "gateway", "splice", "direct"


@dataclass(frozen=True)
class Target:
    """A bound on one figure: at most, or at least."""

    text: str
    value: float
    at_most: bool

    def met(self, reached: float) -> bool:
        return reached <= self.value if self.at_most else reached >= self.value

    def missed_by(self, reached: float) -> str:
        if self.met(reached):
            return "met"
        return f"missed by {abs(reached - self.value) / (self.value or 1):.0%}" if self.value else "missed"


TARGETS = {
    "added_p50_ms": Target("added latency p50, one client, ms", 1.0, True),
    "added_p99_ms": Target("added latency p99, one client, ms", 2.0, True),
    "splice_ratio": Target("added p50, times the byte splice's", 4.0, True),
    "rps_core": Target("requests/s per core at p99 <= 50 ms", 1000, False),
    "bound_share": Target("of what bare ASGI and client would allow", 0.60, False),
    "frames_core": Target("SSE frames per second of a core", 6000, False),
    "lost_frames": Target("frames lost", 0, True),
    "added_itl_p99_ms": Target("added time between tokens p99, ms", 2.0, True),
    "added_ttft_p50_ms": Target("added time to first token p50, ms", 1.5, True),
    "failed_streams": Target("failed of the 2000 open streams", 0, True),
    "toks_ratio": Target("tokens/s of real vLLM, gateway : direct", 0.98, False),
}
PLAIN = {  # figures without a target
    "cpu_share_of_bound": "the same share by CPU seconds",
    "first_request_ms": "first request after the engine's warm-up, ms",
    "hundredth_request_ms": "and about the hundredth, ms",
    "cpu_ms_per_request": "CPU ms per request",
    "rps_per_cpu_second": "requests per CPU second of the gateway",
    "core_share": "share of its core that the gateway had then",
    "memory_mb_2000_streams": "memory at 2000 open streams, MB",
    "frames_seen": "frames that the loss was counted over",
    "engine_ceiling_rps": "the fake engine's own ceiling, requests/s",
}


def each_added(raw: Raw, kind: str, key: str, way: str = GATEWAY) -> list[float]:
    """What the way added, round by round: both were measured within seconds of each other."""
    pairs = zip(raw.rounds[f"{kind}.{way}"], raw.rounds[f"{kind}.{DIRECT}"], strict=True)
    return [through[key] - direct[key] for through, direct in pairs]


def added(raw: Raw, kind: str, key: str, way: str = GATEWAY) -> float:
    return statistics.median(each_added(raw, kind, key, way))


def noise(raw: Raw) -> dict[str, tuple[float, float]]:
    """Least and most of each added figure's rounds: with five of them the true median is inside 15 times in 16."""
    found = {name: each_added(raw, *where) for name, where in ADDED.items() if f"{where[0]}.{GATEWAY}" in raw.rounds}
    return {name: (min(rounds), max(rounds)) for name, rounds in found.items()}


def figures(raw: Raw) -> dict[str, float]:
    """Those that were measured; a part that did not run has none."""
    found: dict[str, float] = {}
    for name, needs, read in READERS:
        if all(part in raw.rounds for part in needs):
            found[name] = read(raw)
    return found


def splice_ratio(raw: Raw) -> float:
    return added(raw, "latency", "p50_ms") / max(added(raw, "latency", "p50_ms", SPLICE), 1e-3)


def bound_share(raw: Raw) -> float:
    """The gateway does what the bare halves do, one after the other on one core: 1/(1/a + 1/b) bounds it.

    By requests per second of the clock, each round against its own bound, so that another program, which takes as much
    from the three, weighs little in the median. The bare client stays aiohttp's though the gateway's own is cheaper: a
    measure that shrinks with what it measures says nothing. The bare server answers faster than one core of clients
    asks, so its rate is too low, and this share too high by that; `cpu_share_of_bound` has no such limit.
    """
    server, client, gateway = (best_rates(raw, name) for name in ("bare_asgi", "bare_client", GATEWAY))
    each = zip(server, client, gateway, strict=True)
    return statistics.median(reached * (1 / alone + 1 / other) for alone, other, reached in each)


def best_rates(raw: Raw, name: str) -> list[float]:
    """Requests per second of every round, each with the number of clients that makes it greatest."""
    tried = [raw.rounds[f"load.{name}.{clients}"] for clients in rounds.CLIENTS]
    return [max(one["rps"] for one in round) for round in zip(*tried, strict=True)]


def cpu_share_of_bound(raw: Raw) -> float:
    """The same by CPU seconds of the three processes, whatever else runs and however fast the clients ask."""
    bound = cheapest(raw, "bare_asgi") + cheapest(raw, "bare_client")
    return bound / cheapest(raw, GATEWAY)


def cheapest(raw: Raw, name: str) -> float:
    """CPU milliseconds per request, with the number of clients that makes them least."""
    return min(raw.median(f"load.{name}.{clients}", "cpu_ms") for clients in rounds.CLIENTS)


WRONG = 0.25  # of its target a figure may be, where it is seen to be wrong
ADDED = {  # name -> what was measured, and which figure of it
    "added_p50_ms": ("latency", "p50_ms"),
    "added_p99_ms": ("latency", "p99_ms"),
    "added_itl_p99_ms": ("itl", "p99_ms"),
    "added_ttft_p50_ms": ("ttft", "p50_ms"),
}
LOAD = f"load.{GATEWAY}.{rounds.CLIENTS[0]}"
Reader = tuple[str, tuple[str, ...], Callable[[Raw], float]]
READERS: tuple[Reader, ...] = (
    *(
        (name, (f"{kind}.{GATEWAY}",), functools.partial(added, kind=kind, key=key))
        for name, (kind, key) in ADDED.items()
    ),
    ("splice_ratio", ("latency.splice",), splice_ratio),
    ("rps_core", (LOAD,), lambda raw: rounds.best_rate(raw, GATEWAY)),
    ("bound_share", (LOAD,), bound_share),
    ("cpu_share_of_bound", (LOAD,), cpu_share_of_bound),
    ("frames_core", ("frames",), lambda raw: raw.median("frames", "per_cpu_second")),
    ("lost_frames", ("lost",), lambda raw: raw.median("lost", "lost")),
    ("toks_ratio", ("tokens.gateway",), lambda raw: toks_ratio(raw)),
    ("first_request_ms", ("users",), lambda raw: raw.rounds["users"][0]["ms"]),
    ("hundredth_request_ms", ("users",), lambda raw: statistics.median(one["ms"] for one in raw.rounds["users"][-10:])),
    ("cpu_ms_per_request", (LOAD,), lambda raw: cheapest(raw, GATEWAY)),
    ("memory_mb_2000_streams", ("memory",), lambda raw: raw.median("memory", "open_mb")),
    ("failed_streams", ("memory",), lambda raw: sum(one["failed"] for one in raw.rounds["memory"])),
    ("frames_seen", ("lost",), lambda raw: raw.median("lost", "frames")),
    ("rps_per_cpu_second", (LOAD,), lambda raw: 1000 / cheapest(raw, GATEWAY)),
    ("core_share", (LOAD,), lambda raw: max(raw.median(f"load.{GATEWAY}.{n}", "cpu_share") for n in rounds.CLIENTS)),
    ("engine_ceiling_rps", (f"load.{DIRECT}.{rounds.CLIENTS[0]}",), lambda raw: rounds.best_rate(raw, DIRECT)),
)


def toks_ratio(raw: Raw) -> float:
    pairs = zip(raw.rounds["tokens.gateway"], raw.rounds["tokens.direct"], strict=True)
    return statistics.median(through["per_second"] / direct["per_second"] for through, direct in pairs)


def state(name: str, reached: float, noise: Mapping[str, tuple[float, float]]) -> str:
    """Whether a target is met; nothing can add less than nothing, so such a figure is wrong by as much at the least."""
    target, (low, high) = TARGETS[name], noise.get(name, (reached, reached))
    if name in ADDED and reached < 0 and not (-reached <= WRONG * target.value and target.met(high)):
        return f"unclear: below nothing, rounds from {low:.2f} to {high:.2f}"
    return target.missed_by(reached)


def states(found: Mapping[str, float], raw: Raw) -> dict[str, str]:
    near = noise(raw)
    return {name: state(name, found[name], near) for name in TARGETS if name in found}


def missed(states: Mapping[str, str]) -> list[str]:
    return [name for name, said in states.items() if said != "met"]


def table(found: Mapping[str, float], states: Mapping[str, str]) -> str:
    lines = []
    for name, target in TARGETS.items():
        if name not in found:
            lines.append(f"{target.text:<44} {'not measured':>12}")
            continue
        bound = f"{'<=' if target.at_most else '>='} {target.value:g}"
        lines.append(f"{target.text:<44} {found[name]:>12.3f} {bound:>8}  {states[name]}")
    lines += [f"{text:<44} {found[name]:>12.3f}" for name, text in PLAIN.items() if name in found]
    return "\n".join(lines)


def document(found: Mapping[str, float], raw: Raw, began: dict[str, str], profile: list[str]) -> dict[str, Any]:
    """All the names always: what was not measured is null."""
    names = dict.fromkeys((*TARGETS, *PLAIN))
    said = {"targets": states(found, raw), "noise": noise(raw)}
    return {**began, **names, **found, **said, "profile": profile, "raw": raw.rounds}
