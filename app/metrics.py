"""Everything that is counted, and the children that must exist at 0 before anything is."""

import time
from collections import defaultdict
from itertools import product

from prometheus_client import CollectorRegistry

from app import outcome
from app.arms import CANARY, STABLE, Arms
from app.children import KnownCounter, KnownGauge, KnownHistogram

ARMS, SOURCES, KINDS = (STABLE, CANARY), ("user", "probe"), ("ttft", "tpot")
CHECKS = ("empty", "replacement", "repetition", "json", "script", "sensitive")
RESULTS = ("ok", "bad")
RATINGS = range(-1, 6)
RESCUES = ("answered", "failed", "no_budget")
BUCKETS = tuple(round(0.005 * 1.25**power, 6) for power in range(43))  # 5 ms to 60 s, each 1.25 times the one before
WHERE = ("rollout", "release", "step", "arm", "source")
BROAD = ("rollout", "release", "arm", "source")
Where = tuple[str, str, str, str, str]


class Metrics:
    """One registry per application: no globals."""

    def __init__(self, forget_seconds: float) -> None:
        self.registry = CollectorRegistry()
        self.forget_seconds = forget_seconds
        self.steps: dict[str, set[tuple[str, str]]] = defaultdict(set)  # release -> (rollout, step)
        self.over: dict[str, float] = {}
        self.current = ""
        self.counters()
        self.gauges()
        self.times()
        for rating in RATINGS:
            self.feedback.labels(rating)

    def counters(self) -> None:
        def counter(name: str, text: str, labels: tuple[str, ...]) -> KnownCounter:
            return KnownCounter(name, text, labels, registry=self.registry)

        self.started = counter("sluice_started", "Requests that began", WHERE)
        self.requests = counter("sluice_requests", "Requests that ended", (*WHERE, "outcome"))
        self.slow = counter("sluice_slow", "Judged requests above the slow bound", (*WHERE, "kind"))
        self.checked = counter("sluice_checked", "Texts of good answers, looked at", (*WHERE, "check", "result"))
        self.rescues = counter(
            "sluice_rescues", "Failures of the canary, and what stable did about them", (*WHERE[:3], "result")
        )
        self.queries_lost = counter("sluice_queries_lost", "Queries that the feedback database never got", ())
        self.feedback = counter("sluice_feedback", "Ratings that were acknowledged", ("rating",))
        self.tokens = counter("sluice_tokens", "Tokens", ("rollout", "release", "arm", "direction"))
        self.http = counter("http_requests", "Requests by endpoint", ("method", "handler", "status"))

    def gauges(self) -> None:
        def gauge(name: str, text: str, labels: tuple[str, ...]) -> KnownGauge:
            return KnownGauge(name, text, labels, registry=self.registry)

        self.inflight = gauge("sluice_inflight_requests", "Requests under way", ("arm",))
        self.oldest = gauge("sluice_oldest_request_seconds", "Age of the oldest request under way", ("arm",))
        self.step_started = gauge(
            "sluice_step_started_seconds", "When the step began, unix time", ("rollout", "release", "step")
        )
        self.weight = gauge("sluice_weight", "Percent of users", ("rollout", "release", "arm"))
        self.keys_broken = gauge("sluice_keys_file_broken", "1 while the newest file of API keys is not used", ())
        self.words_broken = gauge("sluice_words_file_broken", "1 while the newest list of words is not used", ())
        self.flags_broken = gauge("sluice_flags_file_broken", "1 while the newest file of flags is not used", ())
        self.circuits = gauge("sluice_open_circuits", "Engine pods that are passed over", ())
        self.unmeasured = gauge(
            "sluice_unmeasured_requests", "Judged requests whose time waits for a slow bound", (*WHERE, "kind")
        )
        self.bound = gauge(
            "sluice_slow_bound_seconds", "Above it is slow", ("rollout", "release", "source", "kind", "origin")
        )

    def times(self) -> None:
        def histogram(name: str, text: str, labels: tuple[str, ...]) -> KnownHistogram:
            return KnownHistogram(name, text, labels, buckets=BUCKETS, registry=self.registry)

        self.ttft = histogram("sluice_ttft_seconds", "Body read to first content", BROAD)
        self.tpot = histogram("sluice_tpot_seconds", "Time per token after the first", BROAD)
        self.seconds = histogram("sluice_request_seconds", "Body read to end", BROAD)
        self.latency = histogram("model_latency_seconds", "Body read to end, of good answers", ())

    def begin(self, arms: Arms) -> None:
        """Make every child of the step that now is, at 0; let those of releases that are over go after a while."""
        now = time.time()
        if arms.release != self.current:
            self.over[self.current] = now
            self.over.pop(arms.release, None)
            self.current = arms.release
        place = (arms.rollout, arms.step)
        if place not in self.steps[arms.release]:
            self.steps[arms.release].add(place)
            self.step_started.labels(arms.rollout, arms.release, arms.step).set(now)
            self.children(arms)
        canary = arms.weight if arms.in_progress else 0.0
        self.weight.labels(arms.rollout, arms.release, CANARY).set(canary)
        self.weight.labels(arms.rollout, arms.release, STABLE).set(100 - canary)
        self.forget(now)

    def children(self, arms: Arms) -> None:
        for arm, source in product(ARMS, SOURCES):
            where = (arms.rollout, arms.release, arms.step, arm, source)
            self.started.labels(*where)
            for ending in outcome.ALL:
                self.requests.labels(*where, ending)
            for kind in KINDS:
                self.slow.labels(*where, kind)
                self.unmeasured.labels(*where, kind)
            for check, result in product(CHECKS, RESULTS):
                self.checked.labels(*where, check, result)
        for result in RESCUES:
            self.rescues.labels(arms.rollout, arms.release, arms.step, result)

    def ended(self, release: str) -> None:
        """A request of this release has ended: when it outlived the release's children, it made some anew."""
        if release != self.current and release not in self.over:
            self.over[release] = time.time()

    def forget(self, now: float) -> None:
        """Remove the children of releases that ended more than `forget_seconds` ago."""
        for release in [one for one, ended in self.over.items() if now - ended >= self.forget_seconds]:
            del self.over[release]
            self.steps.pop(release, None)
            counters = (self.started, self.requests, self.slow, self.checked, self.rescues, self.tokens)
            for metric in (*counters, self.ttft, self.tpot, self.seconds):
                metric.remove_by_labels({"release": release})
            for gauge in (self.step_started, self.weight, self.bound, self.unmeasured):
                gauge.remove_by_labels({"release": release})
