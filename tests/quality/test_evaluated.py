import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from datasets import Dataset

from quality import counts, evaluated

METRICS = sorted(folder.name for folder in (Path(counts.__file__).parent / "metrics").iterdir() if folder.is_dir())


class Loudness(evaluated.Counted):
    """Share of capital letters, and the language as it came."""

    @staticmethod
    def count(said: counts.Said, references: counts.References, language: str) -> counts.Made:
        return {"score": sum(map(str.isupper, "".join(said))), "language": language, "references": list(references)}


@pytest.fixture
def loudness(tmp_path: Path) -> Iterator[Loudness]:
    yield Loudness(cache_dir=str(tmp_path))


def test_a_count_becomes_a_metric_of_evaluate(loudness: Loudness) -> None:
    made = loudness.compute(predictions=["aBC", "d"], references=[["x", "y"], ["z"]], language="en")

    assert made == {"score": 2, "language": "en", "references": [["x", "y"], ["z"]]}


def test_whoever_names_no_language_gets_the_one_that_knows_both(loudness: Loudness) -> None:
    assert loudness.compute(predictions=["a"], references=[["x"]])["language"] == "mixed"
    assert "mixed" in counts.TOKENIZERS


def test_evaluate_is_told_its_texts_and_what_the_metric_is(loudness: Loudness) -> None:
    assert loudness.description == Loudness.__doc__
    Dataset.from_dict({"predictions": ["a"], "references": [["x", "y"]]}, features=loudness.features)
    with pytest.raises(ValueError, match="references"):
        loudness.compute(predictions=["a"], references=[5])


@pytest.mark.parametrize("name", METRICS)
def test_each_folder_counts_with_the_function_of_its_name(name: str) -> None:
    module = importlib.import_module(f"quality.metrics.{name}.{name}")
    (kind,) = [one for one in vars(module).values() if isinstance(one, type)]

    assert issubclass(kind, evaluated.Counted)
    assert kind.count is getattr(counts, name)
    assert kind.__doc__ == getattr(counts, name).__doc__
