"""What the quality gate found in a canary's answers, as a sentence: figures of the prober, kept by Prometheus."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from release.prometheus import FAIL, PASS, UNDECIDED, Prometheus, Silent, numbers
from rollouts.gates import Quality

WORDS = {PASS: "passed", UNDECIDED: "has not enough evidence", FAIL: "failed"}


@dataclass
class Figure:
    """One metric over one group of cases, 0 to 100; low and high bound canary - stable."""

    canary: float = 0.0
    stable: float = 0.0
    low: float = 0.0
    high: float = 0.0


@dataclass
class Answers:
    verdict: int = UNDECIDED
    figures: dict[tuple[str, str], Figure] = field(default_factory=dict)  # by metric and group


def gathered(prometheus: Prometheus | None, rollout: str, release: str, past: str) -> Answers | None:
    """None when nothing was judged, or Prometheus is silent: the gates' figures say why."""
    if prometheus is None:
        return None
    wanted = f'{{__name__=~"sluice_answers_(verdict|score|difference)",rollout="{rollout}",release="{release}"}}'
    try:
        samples = list(numbers(prometheus.instant(f"last_over_time({wanted}[{past}])")))
    except Silent:
        return None
    found = Answers()
    for labels, value in samples:
        add(found, labels, value)
    return found if any(labels.get("__name__") == "sluice_answers_verdict" for labels, _ in samples) else None


def add(found: Answers, labels: Mapping[str, str], value: float) -> None:
    if labels.get("__name__") == "sluice_answers_verdict":
        found.verdict = int(value)
        return
    figure = found.figures.setdefault((labels.get("metric", ""), labels.get("group", "")), Figure())
    kind = labels.get("arm") or labels.get("bound") or ""
    if kind in ("canary", "stable", "low", "high"):
        setattr(figure, kind, value)


def told(found: Answers, quality: Quality) -> str:
    """The figure that decided: the one nearest to its margin, or farthest beyond it."""
    margins = {str(metric): margin for metric, margin in quality.margins.items()}
    judged = {name: figure for name, figure in found.figures.items() if name[0] in margins}
    said = f"Gate answers {WORDS[found.verdict]}"
    if not judged:
        return f"{said}."
    metric, group = min(judged, key=lambda name: judged[name].high + margins[name[0]])
    worst = judged[metric, group]
    return (
        f"{said}: {metric} of the golden answers ({group}) is {worst.canary:.1f} on the canary and {worst.stable:.1f} "
        f"on stable, a difference of {worst.low:+.1f} to {worst.high:+.1f} where {-margins[metric]:+g} is tolerated."
    )
