"""Scores of a model's answers that can be added up again for any part of the cases: a group, or a resample."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quality import counts
from quality.cases import Case

Array = NDArray[np.float64]
NAMES = ("bleu", "rouge1", "rouge2", "rougeL", "chrf", "exact_match", "accuracy")
ORDERS = 4  # of BLEU's n-grams
BETA = 2  # of chrF


@dataclass
class Scores:
    """One row of counts per case and metric; a score is a function of the rows' sums."""

    rows: dict[str, Array]
    signatures: dict[str, str] = field(default_factory=dict)

    def at(self, weights: Array) -> dict[str, Array]:
        """Each metric, 0 to 100, for each row of `weights`: how often each case counts."""
        ends = np.cumsum([rows.shape[1] for rows in self.rows.values()])
        sums = np.split(weights @ np.hstack(list(self.rows.values())), ends[:-1], axis=1)  # one product, not seven
        return {name: FROM_SUMS.get(name, mean)(given) for name, given in zip(self.rows, sums, strict=True)}

    def taken(self, places: Sequence[int]) -> "Scores":
        """Those of the cases at these places, as often as each is named."""
        return Scores({name: rows[list(places)] for name, rows in self.rows.items()}, self.signatures)


def scores(cases: Sequence[Case], texts: Sequence[str]) -> Scores:
    """The scores of answers in the cases' order, each part with the tokenizer of its language."""
    rows: dict[str, Array] = {}
    found = Scores(rows)
    for language in dict.fromkeys(case.language for case in cases):
        at = [index for index, case in enumerate(cases) if case.language == language]
        part = counted([cases[index] for index in at], [texts[index] for index in at], language, found.signatures)
        for name, made in part.items():
            rows.setdefault(name, np.zeros((len(cases), made.shape[1])))[at] = made
    return found


def counted(cases: list[Case], texts: list[str], language: str, signatures: dict[str, str]) -> dict[str, Array]:
    references = [case.references for case in cases]
    found: dict[str, Array] = {}
    for name, count in (("bleu", counts.bleu), ("chrf", counts.chrf)):
        made = count(texts, references, language)
        found[name] = np.array(made["statistics"], float)
        signatures[f"{name} {language}"] = made["signature"]
    rouge = counts.rouge(texts, references, language)
    exact = counts.exact_match(texts, references, language)
    right = counts.accuracy(texts, [case.keys for case in cases], language)
    signatures |= {"rouge": rouge["signature"], "exact_match": exact["signature"], "accuracy": right["signature"]}
    means = rouge["cases"] | {"exact_match": exact["cases"], "accuracy": right["cases"]}
    return found | {name: np.array([[score, 1.0] for score in each]) for name, each in means.items()}


def mean(sums: Array) -> Array:
    return np.asarray(sums[:, 0] / sums[:, 1])


def bleu(sums: Array) -> Array:
    """sacrebleu's BLEU with its exponential smoothing (Post 2018), for many sums at once."""
    system, reference, correct, total = sums[:, 0], sums[:, 1], sums[:, 2 : 2 + ORDERS], sums[:, 2 + ORDERS :]
    empty = np.cumsum(correct == 0, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(correct > 0, correct / total, 1 / (2.0**empty * total))
        brevity = np.where(system < reference, np.exp(1 - reference / system), 1.0)
        score = 100 * brevity * np.exp(np.log(precision).mean(axis=1))
    scored = (total > 0).all(axis=1) & (correct.sum(axis=1) > 0)
    return np.asarray(np.where(scored, score, 0.0))


def chrf(sums: Array) -> Array:
    """sacrebleu's chrF2 (Popović 2015), for many sums at once."""
    said, wanted, shared = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    counts = (said > 0) & (wanted > 0)
    orders = np.maximum(counts.sum(axis=1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(counts, shared / said, 0.0).sum(axis=1) / orders
        recall = np.where(counts, shared / wanted, 0.0).sum(axis=1) / orders
        score = 100 * (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
    return np.asarray(np.nan_to_num(score))


FROM_SUMS = {"bleu": bleu, "chrf": chrf}
