"""Share of answers that hold one of the keys, the fact that was asked for, in percent."""

from typing import Any

import datasets
import evaluate

from quality import text


class Accuracy(evaluate.Metric):  # type: ignore[misc]
    def _info(self) -> evaluate.MetricInfo:
        features = {"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))}
        return evaluate.MetricInfo(description=__doc__, citation="", features=datasets.Features(features))

    def _compute(self, predictions: list[str], references: list[list[str]], language: str = "mixed") -> dict[str, Any]:
        """`references` are the keys of each case."""
        pairs = zip(predictions, references, strict=True)
        cases = [100.0 * any(text.holds(said, key) for key in keys) for said, keys in pairs]
        return {
            "score": sum(cases) / len(cases),
            "cases": cases,
            "signature": "norm:nfkc+casefold+words|match:in-a-row",
        }
