from collections.abc import Callable

import pytest

from quality import record
from quality.cases import Case
from quality.symptom import Signs, named


@pytest.mark.parametrize(
    ("signs", "chrf", "accuracy", "words"),
    [
        (Signs({"repetition": 0.9}, 0.9, 1.0), 5, 0, "broken text (repetition 90%)"),
        (Signs({}, 0.0, 0.5), 30, 20, "answers that do not end (50% cut off at the limit)"),
        (Signs({}, 0.0, 0.0), 70, 20, "fluent sentences with wrong facts"),
        (Signs({}, 0.01, 0.0), 30, 20, "worse answers"),
    ],
)
def test_what_is_wrong_has_a_name(signs: Signs, chrf: float, accuracy: float, words: str) -> None:
    assert named(signs, chrf, accuracy, 0.02) == words


def test_signs_are_shares_of_the_answers(asked: list[Case], answered: Callable[..., record.Record]) -> None:
    found = answered(9, lambda _: "")
    found.answers["en-35"] = record.Said("en-35", "x", "engine_abort", "length")
    signs = Signs.of(asked, found)
    assert signs.broken == {"aborted": 1 / 72, "empty": 18 / 72}
    assert (signs.broken_share, signs.endless) == (19 / 72, 1 / 72)
