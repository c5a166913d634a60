"""The counts of `counts.py` as a metric for `evaluate`: what each folder of `metrics/` holds."""

from typing import Any

import datasets
import evaluate

from quality import counts

FEATURES = {"predictions": datasets.Value("string"), "references": datasets.Sequence(datasets.Value("string"))}


class Counted(evaluate.Metric):  # type: ignore[misc]
    """`compute(predictions=…, references=[[…], …], language="en")`; see counts.py for what comes back."""

    count: counts.Count

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(description=self.__doc__, citation="", features=datasets.Features(FEATURES))

    def _compute(self, predictions: list[str], references: list[list[str]], language: str = "mixed") -> dict[str, Any]:
        return type(self).count(predictions, references, language)
