"""The gateway's own releases: its pods are probed one by one while a new version of it is judged.

Whoever is judged does not count here: what a probe meets on its way is what the gates read. The series have the names
of those that the gateway counts for the engine, with its own Rollout in the label.
"""

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from statistics import median

import aiohttp

from app import outcome
from app.arms import STABLE, Arms, Board
from app.cluster import ClusterArms
from app.kube import Access
from app.metrics import ARMS, Metrics, Where
from app.settings import Settings as View
from quality import answers, prompts
from quality.probing import Paced, Settings, say

ADDED = "added"
WANTED = 20  # of stable's times: the median of fewer moves too much
KEPT = 200
LEAST_SECONDS = 0.015  # half of what must be noticed; a probe's way through a good gateway takes 2 to 5 ms
PORT = 8080
ENGINE_SECONDS = re.compile(r"\bengine;dur=([0-9]+(?:\.[0-9]+)?)")


class Counters(Metrics):
    """As far as a probe can tell, at 0 from the moment a step begins."""

    def children(self, arms: Arms) -> None:
        for arm in ARMS:
            where = (arms.rollout, arms.release, arms.step, arm, "probe")
            self.started.labels(*where)
            self.slow.labels(*where, ADDED)
            self.unmeasured.labels(*where, ADDED)
            for ending in outcome.ALL:
                self.requests.labels(*where, ending)


class Pace:
    """Which probes were slow: by so much above the median of the pods before, in the same minutes."""

    def __init__(self, counters: Counters) -> None:
        self.counters, self.release = counters, ""
        self.stable: deque[float] = deque(maxlen=KEPT)
        self.waiting: list[tuple[Where, float]] = []  # from before there was a bound

    def add(self, where: Where, seconds: float) -> None:
        rollout, release, _, arm, source = where
        if release != self.release:
            self.release, self.waiting = release, []
            self.stable.clear()
        if arm == STABLE:
            self.stable.append(seconds)
        self.waiting.append((where, seconds))
        self.counters.unmeasured.labels(*where, ADDED).inc()
        if len(self.stable) < WANTED:
            return
        bound = median(self.stable) + LEAST_SECONDS
        self.counters.bound.labels(rollout, release, source, ADDED, "measured").set(bound)
        for one, took in self.waiting:
            self.counters.unmeasured.labels(*one, ADDED).dec()
            if took > bound:
                self.counters.slow.labels(*one, ADDED).inc()
        self.waiting = []


class Gateways(Paced):
    """Probes both arms of the gateway's Rollout, pod by pod, as long as it has two."""

    def __init__(self, settings: Settings, golden: list[prompts.Golden]) -> None:
        super().__init__(settings, golden)
        self.counters = Counters(forget_seconds=60)
        self.board, self.pace = Board(self.counters.begin), Pace(self.counters)

    async def run(self, session: aiohttp.ClientSession) -> None:
        view = View(namespace=self.settings.namespace, rollout=self.settings.gateway_rollout, engine_port=PORT)
        async with asyncio.TaskGroup() as work:
            work.create_task(ClusterArms(view, self.board).run(Access.found()))
            work.create_task(super().run(session))

    def idle(self, arm: str, due: float) -> bool:
        return self.board.arms is None or not self.board.arms.has_canary

    async def probe(self, arm: str, turn: int) -> None:
        arms = self.board.arms
        if arms is None:
            return
        where = (arms.rollout, arms.release, arms.step, arm, "probe")
        self.counters.started.labels(*where).inc()
        answer = await self.asked(arms.engines(arm), turn)
        ending = answer.outcome if answer.outcome in outcome.ALL else "stream_error"
        self.counters.requests.labels(*where, ending).inc()
        self.counters.ended(arms.release)
        self.sent[arm] += 1
        if ending == outcome.OK:
            self.pace.add(where, added(answer))
        elif ending in outcome.JUDGED:
            self.failed[arm] += 1
            say(event="probe of a gateway failed", arm=arm, failed=[ending], **answer.context())

    async def asked(self, pods: tuple[str, ...], turn: int) -> answers.Answer:
        """What one of the pods says; that an arm which was there has none left is a failure too."""
        if not pods:
            return answers.Answer(outcome="connect_error")
        golden, stream = self.drawn(turn)
        headers = {"x-sluice-probe": self.settings.key, "x-sluice-arm": STABLE}  # of the engine, always
        body = golden.body(self.settings.model, stream=stream)
        return await answers.asked(self.session, pods[turn % len(pods)] + golden.path, body, headers)


def added(answer: answers.Answer) -> float:
    """Seconds until the headers came that the engine was not waited for."""
    return max(0.0, (answer.waited or 0.0) - engine_seconds(answer.headers))


def engine_seconds(headers: Mapping[str, str]) -> float:
    """What the gateway says of the engine's part; without a word of it all is the gateway's."""
    found = ENGINE_SECONDS.search(headers.get("server-timing", ""))
    return float(found[1]) / 1000 if found else 0.0
