"""One request from start to end: it is counted where it started, once, and ends once."""

import time
from collections import Counter
from dataclasses import dataclass, field

from app import outcome
from app.arms import Arms
from app.baseline import Baseline
from app.metrics import Metrics


class Ledger:
    """Begins exchanges, and knows which of them are under way."""

    def __init__(self, metrics: Metrics, baseline: Baseline, max_per_user: int) -> None:
        self.metrics, self.baseline, self.max_per_user = metrics, baseline, max_per_user
        self.running: set[Exchange] = set()
        self.judged: Counter[tuple[str, str]] = Counter()  # (arm, user) within the step that now is
        self.step = ("", "")

    def begin(self, arms: Arms, arm: str, source: str, user: str) -> "Exchange":
        """Count a request as started, under the view that chose its arm."""
        step = (arms.release, arms.step)
        if step != self.step:
            self.step, self.judged = step, Counter()
        over = self.over_cap(arm, user) if source == "user" and user and arms.in_progress else False
        where = (arms.rollout, arms.release, arms.step, arm, source)
        self.metrics.started.labels(*where).inc()
        self.metrics.inflight.labels(arm).inc()
        exchange = Exchange(self, where, arm, source, over)
        self.running.add(exchange)
        return exchange

    def over_cap(self, arm: str, user: str) -> bool:
        self.judged[arm, user] += 1
        return self.judged[arm, user] > self.max_per_user

    def oldest(self, arm: str) -> float:
        """Age in seconds of the oldest request under way."""
        return max((time.perf_counter() - one.began for one in self.running if one.arm == arm), default=0.0)


@dataclass(eq=False)
class Exchange:
    ledger: Ledger
    where: tuple[str, str, str, str, str]
    arm: str
    source: str
    over: bool
    began: float = field(default_factory=time.perf_counter)
    first: float | None = None
    ended: str | None = None
    took: float = 0.0
    tokens: int | None = None

    @property
    def broad(self) -> tuple[str, str, str, str]:
        """The labels without the step."""
        rollout, release, _, arm, source = self.where
        return rollout, release, arm, source

    @property
    def age(self) -> float:
        return time.perf_counter() - self.began

    def content(self) -> None:
        """The first content of a stream has come."""
        if self.first is not None:
            return
        self.first = self.age
        self.ledger.metrics.ttft.labels(*self.broad).observe(self.first)
        if self.over:
            return
        self.ledger.baseline.judge(self.where, self.first)
        self.ledger.baseline.add(self.arm, self.source, self.first)

    def hang_up(self) -> None:
        """The client went away: its own doing, unless it had waited beyond the slow bound for nothing."""
        late = self.first is None and self.ledger.baseline.is_slow(self.source, self.age)
        self.end("timeout_ttft" if late else "client_cancel")

    def end(self, ending: str, tokens: dict[str, int] | None = None) -> None:
        """Count how it ended; only the first call does."""
        if self.ended is not None:
            return
        counted = "over_user_cap" if self.over and ending in outcome.JUDGED else ending
        self.ended, self.took, self.tokens = counted, self.age, (tokens or {}).get("out")
        metrics = self.ledger.metrics
        metrics.requests.labels(*self.where, counted).inc()
        metrics.seconds.labels(*self.broad).observe(self.age)
        metrics.inflight.labels(self.arm).dec()
        self.ledger.running.discard(self)
        if ending == outcome.OK:
            metrics.latency.observe(self.age)
            self.pace(tokens or {})
        metrics.ended(self.where[1])

    def pace(self, tokens: dict[str, int]) -> None:
        rollout, release, arm, _ = self.broad
        for direction, number in tokens.items():
            self.ledger.metrics.tokens.labels(rollout, release, arm, direction).inc(number)
        if self.first is not None and tokens.get("out", 0) > 1:
            seconds = (self.age - self.first) / (tokens["out"] - 1)
            self.ledger.metrics.tpot.labels(*self.broad).observe(seconds)
