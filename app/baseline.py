"""The slow bound: twice stable's P99 and at least `slow_least_seconds` above it, frozen while a release is judged."""

import math
from collections import deque

from app.arms import STABLE, Arms
from app.metrics import SOURCES, Metrics

WANTED = 200  # judged requests of stable; with fewer a P99 says little
KEPT = 2000
TIMES = 2.0


Where = tuple[str, str, str, str, str]


class Baseline:
    """Per source, from stable's TTFTs of streamed answers in this process, in seconds."""

    def __init__(self, metrics: Metrics, least_seconds: float) -> None:
        self.metrics, self.least_seconds = metrics, least_seconds
        self.seen = {source: deque[float](maxlen=KEPT) for source in SOURCES}
        self.bounds: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.release = ""
        self.arms: Arms | None = None
        self.unjudged: list[tuple[Where, float]] = []  # of this step, from before there was a bound

    def begin(self, arms: Arms) -> None:
        """Freeze the bounds when a release starts; the last release's stand in where too little was seen."""
        if self.arms is None or (arms.release, arms.step) != (self.arms.release, self.arms.step):
            self.unjudged = []
        self.arms = arms
        if not arms.in_progress or arms.release == self.release:
            return
        self.release = arms.release
        self.last.update(self.bounds)
        self.bounds = {}
        for source in SOURCES:
            if len(self.seen[source]) >= WANTED:
                self.freeze(source, bound(self.seen[source], self.least_seconds), "measured")
            elif source in self.last:
                self.freeze(source, self.last[source], "kept")

    def freeze(self, source: str, seconds: float, origin: str) -> None:
        self.bounds[source] = seconds
        if self.arms:
            self.metrics.bound.labels(self.arms.rollout, self.release, source, "ttft", origin).set(seconds)
        waiting, self.unjudged = self.unjudged, []
        for where, seen in waiting:
            self.judge(where, seen)

    def judge(self, where: Where, seconds: float) -> None:
        """Count a judged request's TTFT when it is above the bound; keep it until there is one."""
        if self.arms is None or not self.arms.in_progress:
            return
        if where[-1] not in self.bounds:
            self.unjudged.append((where, seconds))
        elif seconds > self.bounds[where[-1]]:
            self.metrics.slow.labels(*where, "ttft").inc()

    def add(self, arm: str, source: str, seconds: float) -> None:
        """Remember a judged request's TTFT."""
        if arm != STABLE:
            return
        self.seen[source].append(seconds)
        wanting = self.arms and self.arms.in_progress and source not in self.bounds
        if wanting and len(self.seen[source]) >= WANTED:
            self.freeze(source, bound(self.seen[source], self.least_seconds), "measured")

    def is_slow(self, source: str, seconds: float) -> bool:
        return source in self.bounds and seconds > self.bounds[source]


def bound(seen: deque[float], least_seconds: float) -> float:
    """max(2 P99, P99 + least_seconds), P99 by the nearest-rank method; all in seconds."""
    ordered = sorted(seen)
    worst = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return max(TIMES * worst, worst + least_seconds)
