"""One request from start to end: it is counted where it started, once, and ends once."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from app import outcome
from app.arms import STABLE, Arms
from app.baseline import Baseline
from app.checks import Checker
from app.metrics import Metrics, Where
from app.question import NOTHING, Question
from app.said import Said
from app.sse import Stream
from app.traces import NO_TRACE, Trace


class Ledger:
    """Begins exchanges, and knows which of them are under way."""

    def __init__(self, metrics: Metrics, baseline: Baseline, checker: Checker, max_per_user: int) -> None:
        self.metrics, self.baseline, self.checker, self.max_per_user = metrics, baseline, checker, max_per_user
        self.running: set[Exchange] = set()
        self.judged: Counter[tuple[str, str]] = Counter()  # (arm, user) within the step that now is
        self.step = ("", "")

    def begin(self, arms: Arms, arm: str, source: str, user: str, *, stream: bool = True) -> "Exchange":
        """Count a request as started, under the view that chose its arm."""
        step = (arms.release, arms.step)
        if step != self.step:
            self.step, self.judged = step, Counter()
        over = self.over_cap(arm, user) if source == "user" and user and arms.in_progress else False
        where = (arms.rollout, arms.release, arms.step, arm, source)
        self.metrics.started.of[where].inc()
        self.metrics.inflight.of[(arm,)].inc()
        exchange = Exchange(self, where, arm, source, over, stream, arms)
        self.running.add(exchange)
        return exchange

    def refused(self, arms: Arms, source: str, ending: str) -> None:
        """Count a request that was sent away before it had an arm, as stable's: no canary has seen it."""
        where = (arms.rollout, arms.release, arms.step, STABLE, source)
        self.metrics.started.of[where].inc()
        self.metrics.requests.of[*where, ending].inc()

    def over_cap(self, arm: str, user: str) -> bool:
        self.judged[arm, user] += 1
        return self.judged[arm, user] > self.max_per_user

    def oldest(self, arm: str) -> float:
        """Age in seconds of the oldest request under way."""
        return max((time.perf_counter() - one.began for one in self.running if one.arm == arm), default=0.0)


@dataclass(eq=False, slots=True)
class Exchange:
    ledger: Ledger
    where: Where
    arm: str
    source: str
    over: bool
    stream: bool
    arms: Arms
    began: float = field(default_factory=time.perf_counter)
    first: float | None = None
    unread: float = 0.0  # seconds that the answer waited for its client to read on
    ended: str | None = None  # the outcome that was counted
    failure: str = ""  # the canary's, once stable is asked in its place: what comes then is not judged
    over_with: bool = False
    whenever: Callable[[int], None] | None = None  # called at its end with the tokens to be charged
    prompt: int = 0  # its tokens, about
    heard: Stream | None = None  # of the answer, until it has ended
    took: float = 0.0  # seconds, once it has ended
    tokens: int | None = None  # of the answer
    usage: dict[str, int] = field(default_factory=dict)  # tokens by direction, once it has ended
    keep: bool = False  # its text is to be kept: it was sampled
    said: Said | None = None  # that text
    rescued: bool = False  # stable has answered in the canary's place
    variant: str = ""
    looking: bool = False  # its text waits to be looked at
    checks: dict[str, bool] = field(default_factory=dict)  # what each check that was made found
    trace: Trace = NO_TRACE
    question: Question = NOTHING  # what its answer is looked at for; gone when it has ended

    @property
    def broad(self) -> tuple[str, str, str, str]:
        """The labels without the step."""
        rollout, release, _, arm, source = self.where
        return rollout, release, arm, source

    @property
    def given_by(self) -> tuple[str, str]:
        """Version and revision of what has answered, or should have."""
        return self.arms.given_by[STABLE if self.rescued else self.arm]

    @property
    def age(self) -> float:
        return time.perf_counter() - self.began

    def content(self) -> None:
        """The first content of a stream has come."""
        if self.first is not None or self.failure:
            return
        self.first = self.age
        self.ledger.metrics.ttft.of[self.broad].observe(self.first)
        self.paced("ttft", self.first)

    def paced(self, kind: str, seconds: float) -> None:
        if self.over:
            return
        self.ledger.baseline.judge(self.where, kind, seconds)
        self.ledger.baseline.add(self.arm, self.source, kind, seconds)

    def hang_up(self) -> None:
        """The client went away: its own doing, unless it had waited beyond the slow bound for a stream to begin."""
        waiting = self.stream and self.first is None
        late = waiting and self.ledger.baseline.is_late(self.source, self.age)
        self.end("timeout_ttft" if late else "client_cancel")

    def blame(self, ending: str) -> None:
        """Count how it ended, though it may still run: only the first call does."""
        if self.ended is None:
            judged = ending in outcome.JUDGED
            self.ended = "over_user_cap" if self.over and judged else (judged and self.failure) or ending
            self.ledger.metrics.requests.of[*self.where, self.ended].inc()

    def end(self, ending: str, tokens: dict[str, int] | None = None, said: Said | None = None) -> None:
        """Count how it ended, with the tokens and the text of a good answer; only the first call does."""
        if self.over_with:
            return
        self.over_with = True
        self.blame(ending)
        self.took, self.usage = self.age, tokens or {}
        self.tokens = self.usage.get("out")
        self.said = said if self.keep else None
        metrics = self.ledger.metrics
        metrics.inflight.of[(self.arm,)].dec()
        self.ledger.running.discard(self)
        if self.whenever:
            self.whenever(self.cost(ending, tokens or {}))
        self.heard = None  # as the question, below
        if ending == outcome.OK:
            metrics.latency.observe(self.took)
            self.spent(tokens or {})
        if not self.failure:
            metrics.seconds.of[self.broad].observe(self.took)
            self.good(tokens or {}, said)
        self.question = NOTHING  # it may be remembered for long, what was asked must not be
        metrics.ended(self.where[1])

    def cost(self, ending: str, tokens: dict[str, int]) -> int:
        """Tokens as the engine told them; where it was stopped before, as many as were heard, and the prompt's.

        A client that goes away before a word pays for its prompt. What an engine failed without a word is free.
        """
        heard = self.heard
        if told := tokens or (heard.tokens if heard else {}):
            return sum(told.values())
        pieces = heard.heard if heard else 0
        return pieces + self.prompt if pieces or ending == "client_cancel" else 0

    def spent(self, tokens: dict[str, int]) -> None:
        rollout, release, _, arm, _ = self.where
        for direction, number in tokens.items():
            self.ledger.metrics.tokens.of[rollout, release, STABLE if self.failure else arm, direction].inc(number)

    def good(self, tokens: dict[str, int], said: Said | None) -> None:
        """What a judged answer's pace and text say of its engine."""
        if self.first is not None and tokens.get("out", 0) > 1:
            seconds = max(0.0, self.took - self.first - self.unread) / (tokens["out"] - 1)
            self.ledger.metrics.tpot.of[self.broad].observe(seconds)
            self.paced("tpot", seconds)
        if self.ended == outcome.OK and said is not None:
            self.looking = True
            self.ledger.checker.add(self.where, said, self.question, self.looked)

    def looked(self, results: dict[str, bool]) -> None:
        self.looking, self.checks = False, results
