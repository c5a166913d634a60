"""The slow bounds: twice stable's P99 and at least so many seconds above it, frozen while a release is judged."""

import math
from collections import defaultdict, deque

from app.arms import STABLE, Arms
from app.metrics import KINDS, SOURCES, Metrics, Where

WANTED = 200  # judged requests of stable; with fewer a P99 says little
KEPT = 2000
UNJUDGED = 10_000
TIMES = 2.0
What = tuple[str, str]  # source and kind


class Baseline:
    """Per source and kind, from stable's streamed answers in this process, in seconds.

    `least` says by kind how far above stable's P99 the bound is at least.
    """

    def __init__(self, metrics: Metrics, least: dict[str, float]) -> None:
        self.metrics, self.least = metrics, least
        self.seen: dict[What, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self.bounds: dict[What, float] = {}
        self.last: dict[What, float] = {}
        self.release = ""
        self.arms: Arms | None = None
        self.unjudged: deque[tuple[Where, str, float]] = deque(maxlen=UNJUDGED)  # of this step, from before a bound

    def begin(self, arms: Arms) -> None:
        """Freeze the bounds when a release starts; the last release's stand in where too little was seen."""
        if self.arms is None or (arms.release, arms.step) != (self.arms.release, self.arms.step):
            self.unjudged.clear()
        self.arms = arms
        if not arms.in_progress or arms.release == self.release:
            return
        self.release = arms.release
        self.last.update(self.bounds)
        self.bounds = {}
        for what in [(source, kind) for source in SOURCES for kind in KINDS]:
            if len(self.seen[what]) >= WANTED:
                self.freeze(what, bound(self.seen[what], self.least[what[1]]), "measured")
            elif what in self.last:
                self.freeze(what, self.last[what], "kept")

    def freeze(self, what: What, seconds: float, origin: str) -> None:
        self.bounds[what] = seconds
        if self.arms:
            self.metrics.bound.labels(self.arms.rollout, self.release, *what, origin).set(seconds)
        waiting, self.unjudged = self.unjudged, deque(maxlen=UNJUDGED)
        for where, kind, took in waiting:
            self.metrics.unmeasured.of[*where, kind].dec()
            self.judge(where, kind, took)

    def judge(self, where: Where, kind: str, seconds: float) -> None:
        """Count a judged request's time when it is above the bound; keep it until there is one."""
        if self.arms is None or not self.arms.in_progress or where[1] != self.arms.release:
            return
        limit = self.bounds.get((where[-1], kind))
        if limit is None:
            self.unjudged.append((where, kind, seconds))
            self.metrics.unmeasured.of[*where, kind].inc()
        elif seconds > limit:
            self.metrics.slow.of[*where, kind].inc()

    def add(self, arm: str, source: str, kind: str, seconds: float) -> None:
        """Remember a judged request's time."""
        if arm != STABLE:
            return
        what = (source, kind)
        self.seen[what].append(seconds)
        wanting = self.arms and self.arms.in_progress and what not in self.bounds
        if wanting and len(self.seen[what]) >= WANTED:
            self.freeze(what, bound(self.seen[what], self.least[kind]), "measured")

    def is_late(self, source: str, seconds: float) -> bool:
        """Whether nobody needs to wait so long for the first content."""
        return seconds > self.bounds.get((source, "ttft"), math.inf)


def bound(seen: deque[float], least_seconds: float) -> float:
    """max(2 P99, P99 + least_seconds), P99 by the nearest-rank method; all in seconds."""
    ordered = sorted(seen)
    worst = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return max(TIMES * worst, worst + least_seconds)
