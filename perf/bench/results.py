"""What the rounds come to: named figures, each with its target, and a table."""

from collections.abc import Callable
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
    "toks_ratio": Target("tokens/s of real vLLM, gateway : direct", 0.98, False),
}
PLAIN = {  # figures without a target
    "cpu_ms_per_request": "CPU ms per request",
    "memory_mb_2000_streams": "memory at 2000 open streams, MB",
    "frames_seen": "frames that the loss was counted over",
    "engine_ceiling_rps": "the fake engine's own ceiling, requests/s",
}


def added(raw: Raw, kind: str, key: str, way: str = GATEWAY) -> float:
    return raw.median(f"{kind}.{way}", key) - raw.median(f"{kind}.{DIRECT}", key)


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
    """The gateway does what the bare halves do, one after the other on one core: 1/(1/a + 1/b) bounds it."""
    server, client = rounds.best_rate(raw, "bare_asgi"), rounds.best_rate(raw, "bare_client")
    return rounds.best_rate(raw, GATEWAY) / (1 / (1 / server + 1 / client)) if server and client else 0.0


LOAD = f"load.{GATEWAY}.{rounds.CLIENTS[0]}"
Reader = tuple[str, tuple[str, ...], Callable[[Raw], float]]
READERS: tuple[Reader, ...] = (
    ("added_p50_ms", ("latency.gateway",), lambda raw: added(raw, "latency", "p50_ms")),
    ("added_p99_ms", ("latency.gateway",), lambda raw: added(raw, "latency", "p99_ms")),
    ("splice_ratio", ("latency.splice",), splice_ratio),
    ("rps_core", (LOAD,), lambda raw: rounds.best_rate(raw, GATEWAY)),
    ("bound_share", (LOAD,), bound_share),
    ("frames_core", ("frames",), lambda raw: raw.median("frames", "per_cpu_second")),
    ("lost_frames", ("lost",), lambda raw: raw.median("lost", "lost")),
    ("added_itl_p99_ms", ("itl.gateway",), lambda raw: added(raw, "itl", "p99_ms")),
    ("added_ttft_p50_ms", ("ttft.gateway",), lambda raw: added(raw, "ttft", "p50_ms")),
    ("toks_ratio", ("tokens.gateway",), lambda raw: toks_ratio(raw)),
    ("cpu_ms_per_request", (LOAD,), lambda raw: raw.median(LOAD, "cpu_ms")),
    ("memory_mb_2000_streams", ("memory",), lambda raw: raw.median("memory", "open_mb")),
    ("frames_seen", ("lost",), lambda raw: raw.median("lost", "frames")),
    ("engine_ceiling_rps", ("load.direct.32",), lambda raw: rounds.best_rate(raw, DIRECT)),
)


def toks_ratio(raw: Raw) -> float:
    return raw.median("tokens.gateway", "per_second") / raw.median("tokens.direct", "per_second")


def missed(found: dict[str, float]) -> list[str]:
    return [name for name, target in TARGETS.items() if name in found and not target.met(found[name])]


def table(found: dict[str, float]) -> str:
    lines = []
    for name, target in TARGETS.items():
        if name not in found:
            lines.append(f"{target.text:<44} {'not measured':>12}")
            continue
        bound = f"{'<=' if target.at_most else '>='} {target.value:g}"
        lines.append(f"{target.text:<44} {found[name]:>12.3f} {bound:>8}  {target.missed_by(found[name])}")
    lines += [f"{text:<44} {found[name]:>12.3f}" for name, text in PLAIN.items() if name in found]
    return "\n".join(lines)


def document(found: dict[str, float], raw: Raw, commit: str, profile: list[str]) -> dict[str, Any]:
    """All the names always: what was not measured is null."""
    names = dict.fromkeys((*TARGETS, *PLAIN))
    state = {name: target.missed_by(found[name]) for name, target in TARGETS.items() if name in found}
    return {"commit": commit, **names, **found, "targets": state, "profile": profile, "raw": raw.rounds}
