"""The quality gate: is the candidate at most a margin worse than the baseline, as far as these cases can tell?

Paired bootstrap over cases (Koehn 2004) and non-inferiority: pass when the interval of the difference lies above
minus the margin, fail when it lies below, otherwise there is not enough evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quality import symptom
from quality.cases import Case
from quality.record import Record
from quality.scores import NAMES, Array, Scores, scores
from rollouts.gates import Quality

Verdict = Literal["pass", "fail", "unsure"]
REGRESSION = "regression"  # the tag of cases that once went wrong
SEED = 20240607  # of the resampling: the same answers get the same verdict


@dataclass(frozen=True)
class Figure:
    """One metric of one group of cases; scores are 0 to 100."""

    candidate: float
    baseline: float
    low: float  # the interval of candidate − baseline
    high: float
    margin: float | None  # None: shown, not judged

    @property
    def verdict(self) -> Verdict:
        if self.margin is None or self.low >= -self.margin:
            return "pass"
        return "fail" if self.high < -self.margin else "unsure"


@dataclass(frozen=True)
class Group:
    name: str
    cases: int
    figures: dict[str, Figure]

    @property
    def verdict(self) -> Verdict:
        return worst([figure.verdict for figure in self.figures.values()])


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reason: str
    groups: list[Group]
    signatures: dict[str, str]
    candidate: Scores
    baseline: Scores

    def group(self, name: str) -> Group | None:
        return next((group for group in self.groups if group.name == name), None)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    return "fail" if "fail" in verdicts else "unsure" if "unsure" in verdicts else "pass"


@dataclass(frozen=True)
class Side:
    """What is known of one model's answers, in the cases' order."""

    scores: Scores
    signs: symptom.Signs

    @classmethod
    def of(cls, cases: list[Case], answers: Record) -> "Side":
        return cls(scores(cases, answers.texts(cases)), symptom.Signs.of(cases, answers))


def judge(cases: list[Case], candidate: Record, baseline: Record, quality: Quality) -> Judgement:
    return weighed(cases, Side.of(cases, candidate), Side.of(cases, baseline), quality)


def weighed(cases: list[Case], new: Side, old: Side, quality: Quality) -> Judgement:
    """The verdict over all cases and over each language, and what is wrong in words; tags are shown only."""
    groups = [figured(name, at, new.scores, old.scores, quality, judged) for name, at, judged in parts(cases)]
    verdict = worst([group.verdict for group in groups])
    if new.signs.broken_share > quality.broken_share + old.signs.broken_share:
        verdict = "fail"
    why = reason(verdict, groups, new.signs, quality)
    if again := relapses(cases, new.scores, old.scores):
        relapsed = f"{len(again)} prompts that had been mended went wrong again, {again[0]} first"
        why = f"{why}; {relapsed}" if verdict == "fail" else relapsed
        verdict = "fail"
    return Judgement(verdict, why, groups, new.scores.signatures, new.scores, old.scores)


def relapses(cases: list[Case], new: Scores, old: Scores) -> list[str]:
    """Ids of the regression cases that the baseline answers right and the candidate does not: none is tolerated."""
    right, was_right = new.rows["accuracy"][:, 0] > 0, old.rows["accuracy"][:, 0] > 0
    return [case.id for at, case in enumerate(cases) if REGRESSION in case.tags and was_right[at] and not right[at]]


def parts(cases: list[Case]) -> list[tuple[str, list[int], bool]]:
    """Name, places and whether it is judged: all, each language, each tag."""
    found = [("all", list(range(len(cases))), True)]
    for language in ("zh", "en", "mixed"):
        found.append((language, [at for at, case in enumerate(cases) if case.language == language], True))
    for tag in sorted({tag for case in cases for tag in case.tags}):
        found.append((tag, [at for at, case in enumerate(cases) if tag in case.tags], False))
    return [part for part in found if part[1]]


def figured(name: str, at: list[int], new: Scores, old: Scores, quality: Quality, judged: bool) -> Group:
    new, old = new.taken(at), old.taken(at)
    whole, weights = np.ones((1, len(at))), resamples(len(at), quality.resamples)
    now, before = new.at(whole), old.at(whole)
    again, earlier = new.at(weights), old.at(weights)
    margins = {str(one): margin for one, margin in quality.margins.items()} if judged else {}
    tail = 100 * (1 - quality.confidence) / 2
    figures = {
        one: Figure(
            float(now[one][0]),
            float(before[one][0]),
            *interval(again[one] - earlier[one], tail),
            margins.get(one),
        )
        for one in NAMES
    }
    return Group(name, len(at), figures)


def resamples(cases: int, times: int) -> Array:
    """How often each case is drawn, for as many draws with replacement; a row a resample."""
    drawn = np.random.Generator(np.random.PCG64(SEED)).integers(0, cases, (times, cases))
    places = (drawn + cases * np.arange(times)[:, None]).ravel()
    return np.bincount(places, minlength=times * cases).reshape(times, cases).astype(float)


def interval(differences: Array, tail: float) -> tuple[float, float]:
    low, high = np.percentile(differences, [tail, 100 - tail])
    return float(low), float(high)


def reason(verdict: Verdict, groups: list[Group], signs: symptom.Signs, quality: Quality) -> str:
    """One sentence: what the answers look like, and the figure that decided."""
    worse = [(group.name, one, figure) for group in groups for one, figure in group.figures.items()]
    decided = [row for row in worse if row[2].verdict == verdict and row[2].margin is not None]
    name, one, figure = min(decided or worse, key=lambda row: row[2].high)
    change = f"{one} ({name}) {figure.baseline:.1f} → {figure.candidate:.1f}"
    change += f", difference {figure.low:+.1f} … {figure.high:+.1f}, margin {figure.margin or 0:g}"
    if verdict == "pass":
        return f"no metric is worse by its margin: at most {change}"
    if verdict == "unsure":
        return f"not enough evidence: {change}"
    facts = groups[0].figures
    return (
        f"{symptom.named(signs, facts['chrf'].candidate, facts['accuracy'].candidate, quality.broken_share)}: {change}"
    )
