"""Share of answers that equal a reference but for case, blanks, width and punctuation, in percent."""

from typing import Any

import datasets
import evaluate

from quality import text


class ExactMatch(evaluate.Metric):  # type: ignore[misc]
    def _info(self) -> evaluate.MetricInfo:
        features = {"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))}
        return evaluate.MetricInfo(description=__doc__, citation="", features=datasets.Features(features))

    def _compute(self, predictions: list[str], references: list[list[str]], language: str = "mixed") -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        cases = [100.0 * any(text.same(said, one) for one in refs) for said, refs in pairs]
        return {"score": sum(cases) / len(cases), "cases": cases, "signature": "norm:nfkc+casefold+words"}
