"""Figures of a phase, and the ratio of two engines with its interval.

A ratio is candidate ÷ baseline turned so that below 1 is worse, whatever the metric.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import binom

from perf.sample import OK, Sample

PASS, FAIL, UNSURE = "pass", "fail", "unsure"
SCHEDULE_P99 = 0.010  # seconds that requests may leave late before a run is no measurement
RATE_SHARE = 0.98  # of the asked rate
CEILING = 2.0  # what the tool must be able to do, times the highest rate it was asked for


def percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None


@dataclass(frozen=True)
class Slo:
    """Seconds; an answer within both counts as goodput."""

    ttft: float
    tpot: float

    def met(self, sample: Sample) -> bool:
        began = sample.end if sample.first is None else sample.first  # a token may be half a character: no text yet
        return sample.outcome == OK and began <= self.ttft and (sample.tpot or 0.0) <= self.tpot


@dataclass(frozen=True)
class Figures:
    """What one engine did in one phase; seconds, and tokens or requests per second."""

    asked_rate: float
    requests: int
    good: int
    failures: dict[str, int]
    tokens_per_second: float
    user_tokens_per_second: float | None
    ttft: dict[str, float | None] = field(default_factory=dict)
    tpot: dict[str, float | None] = field(default_factory=dict)
    itl: dict[str, float | None] = field(default_factory=dict)
    e2e: dict[str, float | None] = field(default_factory=dict)

    @property
    def goodput(self) -> float:
        return self.good / self.requests if self.requests else 0.0


def spread(values: Sequence[float]) -> dict[str, float | None]:
    return {f"p{percent}": percentile(values, percent) for percent in (50, 90, 99)}


def figures(samples: Sequence[Sample], rate: float, slo: Slo) -> Figures:
    """All of one phase; tokens are counted until the last answer has ended."""
    ok = [sample for sample in samples if sample.outcome == OK]
    start = min((one.intended for one in samples), default=0.0)
    busy = max((one.intended + one.end for one in samples), default=0.0) - start
    paces = [1 / one.tpot for one in ok if one.tpot]
    return Figures(
        asked_rate=rate,
        requests=len(samples),
        good=sum(slo.met(sample) for sample in samples),
        failures=dict(Counter(one.outcome for one in samples if one.outcome != OK)),
        tokens_per_second=sum(one.tokens for one in ok) / busy if busy > 0 else 0.0,
        user_tokens_per_second=percentile(paces, 50),
        ttft=spread([one.first for one in ok if one.first is not None]),
        tpot=spread([one.tpot for one in ok if one.tpot is not None]),
        itl=spread([gap for one in ok for gap in one.gaps]),
        e2e=spread([one.end for one in ok]),
    )


@dataclass(frozen=True)
class Bounds:
    """Ratios: at `tolerated` nothing is wrong yet, at `unacceptable` all is; between them either verdict is right."""

    tolerated: float
    unacceptable: float
    confidence: float


@dataclass(frozen=True)
class Ratio:
    ratio: float
    low: float
    high: float
    pairs: int

    def verdict(self, bounds: Bounds) -> str:
        """Fail when shown to be worse than tolerated, pass when shown to be better than unacceptable."""
        if self.high < bounds.tolerated:
            return FAIL
        return PASS if self.low > bounds.unacceptable else UNSURE

    def document(self, bounds: Bounds) -> dict[str, Any]:
        return {"ratio": self.ratio, "ci": [self.low, self.high], "pairs": self.pairs, "verdict": self.verdict(bounds)}


def ratio(baseline: Sequence[float], candidate: Sequence[float], confidence: float) -> Ratio:
    """The median of the pairs' ratios, with an interval of their order statistics that holds for any distribution.

    Each pair was measured side by side, so what slowed the machine for a while slowed both; a burst that hit only one
    of them is an outlier, which moves a mean and its interval, and a median hardly.
    """
    ratios = sorted(new / old for old, new in zip(baseline, candidate, strict=True) if old > 0 and new > 0)
    cut = outside(len(ratios), (1 - confidence) / 2)
    middle = float(np.median(ratios)) if ratios else math.nan
    return Ratio(middle, *((ratios[cut - 1], ratios[-cut]) if cut else (0.0, math.inf)), len(ratios))


def outside(pairs: int, tail: float) -> int:
    """How many of the sorted ratios at each end lie outside the interval, or on its end; 0 when so few decide nothing.

    A ratio lies below the true median as often as a coin shows heads.
    """
    return sum(float(binom.cdf(below, pairs, 0.5)) <= tail for below in range(pairs // 2))


def together(verdicts: Sequence[str]) -> str:
    """One failure fails all; a pass needs every pass."""
    if FAIL in verdicts:
        return FAIL
    return PASS if verdicts and all(one == PASS for one in verdicts) else UNSURE


@dataclass
class Tool:
    """How well the tool itself did: delays of all requests in seconds, how many went out within their phase."""

    delays: list[float] = field(default_factory=list)
    in_time: int = 0
    highest_rate: float = 0.0

    def add(self, samples: Sequence[Sample], rate: float, seconds: float) -> None:
        start = min((one.intended for one in samples), default=0.0)
        self.delays += [one.sent for one in samples]
        self.in_time += sum(one.intended + one.sent - start <= seconds for one in samples)
        self.highest_rate = max(self.highest_rate, rate)

    @property
    def schedule_p99(self) -> float:
        return percentile(self.delays, 99) or 0.0

    @property
    def sent_share(self) -> float:
        return self.in_time / len(self.delays) if self.delays else 0.0

    def doubts(self, ceiling: float) -> list[str]:
        """Why a run says nothing about its engines; empty when it is valid."""
        found = []
        if self.schedule_p99 > SCHEDULE_P99:
            late, allowed = self.schedule_p99 * 1000, SCHEDULE_P99 * 1000
            found.append(f"requests left late: p99 {late:.1f} ms, allowed {allowed:.0f} ms")
        if self.sent_share < RATE_SHARE:
            found.append(f"only {self.sent_share:.1%} of the asked requests were sent in time, needed {RATE_SHARE:.0%}")
        if ceiling < CEILING * self.highest_rate:
            found.append(f"the tool itself ends at {ceiling:.0f}/s, asked for {self.highest_rate:.0f}/s: needed twice")
        return found
