"""The quality gate inside a canary: both arms are asked the golden set once, and the canary's answers are judged.

It is one look, when every case has an answer of both arms, so the confidence of `gates.yaml` holds as it stands. What
fails here without an answer is for the gates on requests to judge, and is asked again.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Gauge

from app.metrics import ARMS
from quality.answers import Answer
from quality.ask import ANSWERED, said_of
from quality.cases import Case, digest
from quality.judge import Judgement, Verdict, judge
from quality.pace import beat
from quality.record import Head, Record
from rollouts.gates import Quality

VALUES: dict[Verdict, int] = {"pass": 1, "unsure": 0, "fail": -1}
Ask = Callable[[Case, str], Awaitable[Answer]]
Say = Callable[..., None]


@dataclass(frozen=True)
class Release:
    """Whose canary it is, as the gateway's metrics name it."""

    rollout: str
    release: str


@dataclass
class Shown:
    """What Prometheus reads; scores are 0 to 100. Only the newest release is shown."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(name, says, ("rollout", "release", *labels), registry=self.registry)

        self.asked = gauge("sluice_answers_asked", "Golden cases that both arms have answered.")
        self.verdict = gauge("sluice_answers_verdict", "1 pass, 0 not enough evidence, -1 fail; absent until judged.")
        self.score = gauge("sluice_answers_score", "Score of an arm's answers.", "arm", "metric", "group")
        self.difference = gauge("sluice_answers_difference", "Interval of canary - stable.", "metric", "group", "bound")

    def begin(self, release: Release) -> None:
        for one in (self.asked, self.verdict, self.score, self.difference):
            one.clear()
        self.asked.labels(release.rollout, release.release).set(0)

    def end(self, release: Release, found: Judgement) -> None:
        """The verdict comes last: who sees it sees what it was made of."""
        names = (release.rollout, release.release)
        for group in found.groups:
            for metric, figure in group.figures.items():
                if figure.margin is None:
                    continue
                self.score.labels(*names, "canary", metric, group.name).set(figure.candidate)
                self.score.labels(*names, "stable", metric, group.name).set(figure.baseline)
                self.difference.labels(*names, metric, group.name, "low").set(figure.low)
                self.difference.labels(*names, metric, group.name, "high").set(figure.high)
        self.verdict.labels(*names).set(VALUES[found.verdict])


def sampled(cases: list[Case], most: int) -> list[Case]:
    """At most so many (0: all), spread evenly over the set, which stands in the order of its topics."""
    return cases[:: math.ceil(len(cases) / most)] if most else cases


@dataclass
class Trial:
    """Asks and judges each release that is seen, one at a time."""

    ask: Ask
    cases: list[Case]
    quality: Quality
    say: Say
    per_second: float = 4.0  # cases, each on both arms
    at_once: int = 16
    shown: Shown = field(default_factory=Shown)
    release: Release | None = None  # of the canary that answers now
    of: Release | None = None  # whose answers are kept: gateways hear of a canary one after another
    records: dict[str, Record] = field(default_factory=dict)
    judged: Release | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, rollout: str, release: str) -> None:
        """A canary of this release answers."""
        now = Release(rollout, release)
        if now != self.release:
            self.release = now
            self.changed.set()

    def gone(self) -> None:
        """A gateway knows of no canary."""
        self.release = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            if self.release and self.release != self.judged:
                await self.judge(self.release)

    async def judge(self, release: Release) -> None:
        """Ask on where it was left; a verdict only when every case is answered."""
        if self.of != release:
            self.of, self.records = release, {arm: Record(Head(digest(self.cases), arm)) for arm in ARMS}
            self.shown.begin(release)
        while (left := self.left()) and self.release == release:
            await self.passed(release, left)
        if self.left():
            return
        found = await asyncio.to_thread(judge, self.cases, self.records["canary"], self.records["stable"], self.quality)
        self.judged = release
        self.shown.end(release, found)
        self.say(event="answers judged", release=release.release, verdict=found.verdict, reason=found.reason)

    def left(self) -> list[Case]:
        return [case for case in self.cases if case.id not in self.records["canary"].answers]

    async def passed(self, release: Release, cases: list[Case]) -> None:
        """Ask each of the cases once, at an even pace, as long as this release's canary is there."""
        room, due = asyncio.Semaphore(self.at_once), time.monotonic()
        async with asyncio.TaskGroup() as group:
            for case in cases:
                await room.acquire()
                due = await beat(due, self.per_second)
                if self.release != release:
                    return
                asking = group.create_task(self.pair(release, case))
                asking.add_done_callback(lambda _: room.release())

    async def pair(self, release: Release, case: Case) -> None:
        """One case on both arms; it counts when both answered under this release."""
        found = await asyncio.gather(*(self.ask(case, arm) for arm in ARMS))
        if any(one.outcome not in ANSWERED for one in found) or self.release != release:
            return
        for arm, one in zip(ARMS, found, strict=True):
            self.records[arm].answers[case.id] = said_of(case, one)
        self.shown.asked.labels(release.rollout, release.release).inc()
