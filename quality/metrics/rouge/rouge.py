"""ROUGE-1, ROUGE-2 and ROUGE-L by rouge-score, over words and single Chinese characters."""

from importlib.metadata import version
from typing import Any

import datasets
import evaluate
from rouge_score.rouge_scorer import RougeScorer

from quality import text

TYPES = ("rouge1", "rouge2", "rougeL")


class Pieces:
    """The tokenizer that rouge-score calls; its own drops every Chinese character."""

    def tokenize(self, given: str) -> list[str]:
        return text.words(given)


class Rouge(evaluate.Metric):  # type: ignore[misc]
    def _info(self) -> evaluate.MetricInfo:
        features = {"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))}
        return evaluate.MetricInfo(description=__doc__, citation="", features=datasets.Features(features))

    def _compute(self, predictions: list[str], references: list[list[str]], language: str = "mixed") -> dict[str, Any]:
        """The mean F of 0 to 100 over cases, against the best of several references, and each case's own."""
        scorer = RougeScorer(list(TYPES), tokenizer=Pieces())
        rows = [scorer.score_multi(refs, said) for said, refs in zip(predictions, references, strict=True)]
        cases = {name: [100 * row[name].fmeasure for row in rows] for name in TYPES}
        means = {name: sum(scores) / len(scores) for name, scores in cases.items()}
        return means | {"cases": cases, "signature": f"tok:words+cjk|f:1|version:{version('rouge-score')}"}
