"""Corpus chrF by sacrebleu: character n-grams, the same for every language."""

from typing import Any

import datasets
import evaluate
from sacrebleu.metrics.chrf import CHRF


class Chrf(evaluate.Metric):  # type: ignore[misc]
    def _info(self) -> evaluate.MetricInfo:
        features = {"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))}
        return evaluate.MetricInfo(description=__doc__, citation="", features=datasets.Features(features))

    def _compute(self, predictions: list[str], references: list[list[str]], language: str = "mixed") -> dict[str, Any]:
        """`score` of 0 to 100, sacrebleu's `signature`, and the counts of each case, whose sums give the score."""
        most = max(len(row) for row in references)
        padded = [[*row, *[None] * (most - len(row))] for row in references]
        streams = [list(row) for row in zip(*padded, strict=True)]
        metric = CHRF()
        return {
            "score": metric.corpus_score(predictions, streams).score,
            "signature": str(metric.get_signature()),
            "statistics": metric._extract_corpus_statistics(predictions, streams),
        }
