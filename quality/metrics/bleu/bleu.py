"""Corpus BLEU by sacrebleu, with the tokenizer that the language needs: sacrebleu's default scores Chinese 0."""

from typing import Any

import datasets
import evaluate
from sacrebleu.metrics.bleu import BLEU

TOKENIZERS = {"en": "13a", "zh": "zh", "mixed": "zh"}  # zh splits Chinese into characters and the rest as 13a does


class Bleu(evaluate.Metric):  # type: ignore[misc]
    def _info(self) -> evaluate.MetricInfo:
        features = {"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))}
        return evaluate.MetricInfo(description=__doc__, citation="", features=datasets.Features(features))

    def _compute(self, predictions: list[str], references: list[list[str]], language: str = "mixed") -> dict[str, Any]:
        """`score` of 0 to 100, sacrebleu's `signature`, and the counts of each case, whose sums give the score."""
        streams = [list(row) for row in zip(*padded(references), strict=True)]
        metric = BLEU(tokenize=TOKENIZERS[language])
        score = metric.corpus_score(predictions, streams)
        return {
            "score": score.score,
            "signature": str(metric.get_signature()),
            "statistics": metric._extract_corpus_statistics(predictions, streams),
        }


def padded(references: list[list[str]]) -> list[list[str | None]]:
    """All cases with as many references as the one that has most; sacrebleu leaves out None."""
    most = max(len(row) for row in references)
    return [[*row, *[None] * (most - len(row))] for row in references]
