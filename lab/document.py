"""The demo's report, computed from its records: request lines, the Rollout's moments, and Prometheus' figures."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from app.outcome import BAD
from lab import measures
from lab.measures import Record
from lab.timeline import Moment
from release.prometheus import Prometheus
from release.report import Bucket, Judged, Point, Requests, Sample, Series, Timeline, Weight, Weights
from rollouts import gates

BUCKET_SECONDS = 5
EVIDENCE_SECONDS = 2
OUTCOMES = {"ok": "ok", **dict.fromkeys(BAD, "bad")}


@dataclass(frozen=True)
class Released:
    """One release of a run: its moments, and when it was handed over and ended, unix seconds."""

    version: str
    began: float
    ended: float
    verdict: str
    moments: Sequence[Moment]
    why: Sequence[str] = ()
    samples: Sequence[Sample] = ()

    @property
    def name(self) -> str:
        """The metric label of the attempt."""
        return f"{self.version}-r{self.moments[-1].revision}" if self.moments else self.version

    def judged(self, records: Sequence[Record]) -> Judged:
        return Judged.model_validate(
            {
                "version": self.version,
                "verdict": self.verdict,
                "seconds": round(self.ended - self.began, 1),
                "max_weight": max((moment.weight for moment in self.moments), default=0),
                "detect_seconds": measures.detect_seconds(records, self.moments),
                "why": list(self.why),
            }
        )

    def weights(self, start: float) -> Weights:
        points = [Weight(t=max(0.0, moment.at - start), weight=moment.weight) for moment in self.moments]
        last = points[-1].weight if points else 0
        return Weights(version=self.version, points=[*points, Weight(t=self.ended - start, weight=last)])


def requests(records: Iterable[Record]) -> Requests:
    return Requests(**asdict(measures.noticed(records)))


def timeline(releases: Sequence[Released], records: Iterable[Record], start: float) -> Timeline:
    judged = [release for release in releases if len(release.moments) > 1]
    return Timeline(
        bucket_seconds=BUCKET_SECONDS,
        weights=[release.weights(start) for release in judged],
        outcomes=buckets(records, start),
    )


def buckets(records: Iterable[Record], start: float) -> list[Bucket]:
    """Outcomes of user requests per arm and five seconds, by when they ended; no answer counts as stable."""
    counts: dict[tuple[float, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in records:
        at = BUCKET_SECONDS * int(max(0.0, one["ended"] - start) // BUCKET_SECONDS)
        arm = "canary" if one["arm"] == "canary" else "stable"
        counts[at, arm][OUTCOMES.get(one["outcome"], "not_judged")] += 1
    return [Bucket.model_validate({"t": at, "arm": arm, **kinds}) for (at, arm), kinds in sorted(counts.items())]


def evidence(prometheus: Prometheus, rollout: str, releases: Iterable[Released], start: float) -> list[Series]:
    """Each gate's e-values over time, per release and source, of the step that was being judged."""
    return [
        series
        for release in releases
        if len(release.moments) > 1
        for series in of_release(prometheus, rollout, release, start)
    ]


def of_release(prometheus: Prometheus, rollout: str, release: Released, start: float) -> list[Series]:
    query = f'sluice:gate_evidence{{rollout="{rollout}",release="{release.name}"}}'
    found: dict[tuple[str, str], dict[tuple[float, str], dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for series in prometheus.range(query, release.began, release.ended, EVIDENCE_SECONDS):
        labels = series["metric"]
        for at, value in series["values"]:
            moment = (float(at) - start, labels["step"])
            found[labels["gate"], labels["source"]][moment][labels["evidence"]] = float(value)
    return [
        Series.model_validate({"gate": gate, "source": source, "release": release.version, "points": current(points)})
        for (gate, source), points in sorted(found.items())
    ]


def current(points: dict[tuple[float, str], dict[str, float]]) -> list[Point]:
    """At each time the highest step that has evidence: the older steps' figures stand still."""
    latest: dict[float, str] = {}
    for at, step in points:
        latest[at] = max(latest.get(at, step), step, key=float)
    return [Point(t=max(0.0, at), step=step, **points[at, step]) for at, step in sorted(latest.items())]


def thresholds() -> tuple[float, float]:
    found = gates.load(gates.PATH).evidence
    return found.fail_at, found.pass_at
