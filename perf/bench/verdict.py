"""What the rounds of `make bench ABUSE=1` come to, and which of it is a fault.

A p99 of one load in one round is that of some hundred requests: a single pause of the machine decides it. Waiting, of
others and for a refusal, is therefore judged twice over more: each load over all rounds, and each round over all loads,
that of others against what they waited alone between all of them, and without an allowance: alone, a round's p99 is
twice another's, by the machine's doing. Everything that may never happen is judged in every round.
"""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from perf.bench.attack import Reply
from perf.bench.others import Others
from perf.stats import percentile

REFUSED_MS, OTHERS = 50.0, 2.0
# What Python takes from the system at once (an arena): one such step in the second half of a soak may be chance. For
# each of the 60 000 requests that ten minutes have there it is 18 bytes, and no object is as small.
FLAT_MB = 2**20 / 1e6
LEAST_ROUNDS = 5  # after the warm-up: fewer make no slope


@dataclass
class Load:
    """What one kind of abuse came to."""

    name: str
    replies: list[Reply] = field(default_factory=list)
    others: Others = field(default_factory=Others)  # how ordinary users fared meanwhile
    unfreed: int = 0  # streams that the engine went on with
    wanted: Sequence[int] = ()  # statuses that may be answered here; none when nothing is asked

    @property
    def refusals(self) -> list[float]:
        """Seconds of those whose client did not slow them down itself."""
        return [one.seconds for one in self.replies if one.status >= 400 and not one.slow]

    def document(self, alone: float) -> dict[str, Any]:
        found = {
            "requests": len(self.replies),
            "statuses": {str(status): self.count(status) for status in sorted({one.status for one in self.replies})},
        }
        return found | refused(self.refusals) | waited(self.others, alone) | {"faults": self.faults()}

    def count(self, status: int) -> int:
        return sum(one.status == status for one in self.replies)

    def faults(self) -> list[str]:
        """What may never happen."""
        said = []
        if self.wanted and (other := [one.status for one in self.replies if one.status not in self.wanted]):
            said.append(f"{len(other)} were answered with {other[0]}")
        if any(one.status == 429 for one in self.replies) and not self.refusals:
            said.append("no refusal was timed")
        if self.others.failed:
            said.append(f"{self.others.failed} requests of others failed")
        if self.unfreed:
            said.append(f"the engine went on with {self.unfreed} streams of nobody")
        return said


@dataclass
class Round:
    """All loads once; `quiets` lie before, between and behind them."""

    loads: list[Load]
    quiets: list[Others]
    engine_saw: int  # of the refused requests
    memory_mb: list[float]  # the gateway's, after each load
    ended: float  # seconds of any steady clock

    def document(self, alone: float) -> dict[str, Any]:
        return {
            "alone_p99_ms": pooled(self.quiets).ms(99),
            "quiets_p99_ms": [one.ms(99) for one in self.quiets],
            **refused([seconds for load in self.loads for seconds in load.refusals]),
            **waited(pooled(load.others for load in self.loads), alone),
            "engine_saw": self.engine_saw,
            "memory_mb": self.memory_mb,
            "loads": {load.name: load.document(alone) for load in self.loads},
        }


def pooled(some: Iterable[Others]) -> Others:
    every = list(some)
    return Others([wait for one in every for wait in one.waits], sum(one.failed for one in every))


def refused(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "refusals_timed": len(seconds),
        "refused_p99_ms": 1000 * (percentile(seconds, 99) or 0.0),
        "refused_most_ms": 1000 * max(seconds, default=0.0),
    }


def waited(others: Others, alone: float) -> dict[str, float]:
    return {
        "others": len(others.waits),
        "others_p50_ms": others.ms(50),
        "others_p99_ms": others.ms(99),
        "others_most_ms": others.ms(100),
        "others_ratio": others.ms(99) / alone if alone else 0.0,
        "others_failed": others.failed,
    }


def merged(loads: Sequence[Load]) -> Load:
    """One kind of abuse over all rounds."""
    replies = [reply for load in loads for reply in load.replies]
    others, unfreed = pooled(load.others for load in loads), sum(load.unfreed for load in loads)
    return Load(loads[0].name, replies, others, unfreed, loads[0].wanted)


def growth(rounds: Sequence[Round]) -> dict[str, float | None]:
    """Megabytes by which the gateway grows in the second half of the soak, and per hour; None of too few rounds.

    The least of each round, which is what it does not give back; the first is the warm-up. Theil and Sen's slope, the
    median of those between any two rounds: a third of them may be outliers.
    """
    points = [(one.ended, min(one.memory_mb)) for one in rounds[1:]]
    if len(points) < LEAST_ROUNDS:
        return {"memory_grown_mb": None, "memory_mb_per_hour": None}
    half = points[(len(points) - 1) // 2 :]
    slopes = [(after - before) / (late - early) for (early, before), (late, after) in itertools.combinations(half, 2)]
    slope, seconds = statistics.median(slopes), half[-1][0] - half[0][0]
    return {"memory_grown_mb": slope * seconds, "memory_mb_per_hour": slope * 3600}


def judged(rounds: Sequence[Round], soak: float = 0.0) -> dict[str, Any]:
    """The report; `soak` is how many seconds were asked for after the first round."""
    alone = pooled(quiet for one in rounds for quiet in one.quiets).ms(99)
    loads = [merged(same) for same in zip(*(one.loads for one in rounds), strict=True)]
    found: dict[str, Any] = {
        "alone_p99_ms": alone,
        "loads": {load.name: load.document(alone) for load in loads},
        "engine_saw": sum(one.engine_saw for one in rounds),
        "memory_mb": [min(one.memory_mb) for one in rounds],
        **growth(rounds),
        "rounds": [one.document(alone) for one in rounds],
    }
    said = [*forbidden(rounds), *slowed(found), *(grown(found) if soak else [])]
    return found | {"faults": said}


def forbidden(rounds: Sequence[Round]) -> list[str]:
    said = []
    for number, one in enumerate(rounds, 1):
        said += [f"round {number}, {load.name}: {fault}" for load in one.loads for fault in load.faults()]
        if failed := pooled(one.quiets).failed:
            said.append(f"round {number}: {failed} requests of others failed where nobody disturbed them")
        if one.engine_saw:
            said.append(f"round {number}: the engine saw {one.engine_saw} of the refused requests")
    return said


def slowed(found: dict[str, Any]) -> list[str]:
    each = [*found["loads"].items(), *((f"round {number}", one) for number, one in enumerate(found["rounds"], 1))]
    said = []
    for name, one in each:
        if one["others_ratio"] > OTHERS:
            said.append(f"{name}: others waited {one['others_ratio']:.1f} times as long")
        if one["refused_p99_ms"] > REFUSED_MS:
            said.append(f"{name}: a refusal took {one['refused_p99_ms']:.0f} ms")
    return said


def grown(found: dict[str, Any]) -> list[str]:
    more, hourly = found["memory_grown_mb"], found["memory_mb_per_hour"]
    if more is None:
        return [f"memory: {len(found['rounds'])} rounds say nothing, {LEAST_ROUNDS + 1} are needed: soak for longer"]
    if more <= FLAT_MB:
        return []
    return [f"memory: {more:.1f} MB more in the second half, {hourly:.1f} an hour: {FLAT_MB:.1f} MB at most are flat"]
