from collections.abc import Callable

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from quality import record, scores
from quality.cases import Case

Answered = Callable[..., record.Record]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("wrong", [0, 5, 36])
def test_scores_of_sums_are_sacrebleus_own(asked: list[Case], answered: Answered, language: str, wrong: int) -> None:
    part = [case for case in asked if case.language == language]
    said = answered(wrong, lambda text: text[:9] + text[12:]).texts(part)
    found = scores.scores(part, said).at(np.ones((1, len(part))))
    references = [[case.references[0] for case in part]]
    tokenize = "zh" if language == "zh" else "13a"
    assert found["bleu"][0] == pytest.approx(BLEU(tokenize=tokenize).corpus_score(said, references).score)
    assert found["chrf"][0] == pytest.approx(CHRF().corpus_score(said, references).score)


def test_answers_without_a_common_word_score_zero_and_not_nan(asked: list[Case], answered: Answered) -> None:
    found = scores.scores(asked, answered(99, lambda _: "").texts(asked)).at(np.ones((1, len(asked))))
    assert {name: float(value[0]) for name, value in found.items()} == dict.fromkeys(scores.NAMES, 0.0)


def test_a_case_that_is_drawn_twice_counts_twice(asked: list[Case], answered: Answered) -> None:
    found = scores.scores(asked, answered(7).texts(asked))
    places = [0, 0, 1, 40, 41, 71]
    weights = np.bincount(places, minlength=len(asked)).astype(float)[None]
    taken = found.taken(places).at(np.ones((1, len(places))))
    assert {name: float(value[0]) for name, value in found.at(weights).items()} == pytest.approx(
        {name: float(value[0]) for name, value in taken.items()}
    )


def test_each_language_keeps_its_signature(asked: list[Case], answered: Answered) -> None:
    signatures = scores.scores(asked, answered().texts(asked)).signatures
    assert "tok:zh" in signatures["bleu zh"]
    assert "tok:13a" in signatures["bleu en"]
