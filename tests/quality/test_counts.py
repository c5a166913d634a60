"""How the counts are put together; the scores themselves are held against known values in test_metrics.py."""

import pytest
from sacrebleu.metrics.bleu import BLEU

from quality import counts

SAID = ["The dog bit the man.", "It was not a surprise.", "nothing at all"]
REFERENCES = [["The dog bit the man.", "The dog had bit the man."], ["It was no surprise."], ["The man bit him."]]


def test_cases_with_fewer_references_are_filled_with_what_sacrebleu_leaves_out() -> None:
    assert counts.padded([["a", "b"], ["c"]]) == [["a", "b"], ["c", None]]
    alone = counts.bleu(SAID[1:2], REFERENCES[1:2], "en")["score"]
    assert counts.bleu(SAID[1:2], [[*REFERENCES[1], "zzz"]], "en")["score"] == pytest.approx(alone)


@pytest.mark.parametrize("count", [counts.bleu, counts.chrf])
def test_the_sums_of_the_cases_statistics_give_the_score(count: counts.Count) -> None:
    """What the gate resamples: a corpus score is no mean of its cases."""
    made = count(SAID, REFERENCES, "en")
    rows = made["statistics"]
    assert len(rows) == len(SAID)

    several = [count([one], [refs], "en") for one, refs in zip(SAID, REFERENCES, strict=True)]
    assert made["score"] != pytest.approx(sum(one["score"] for one in several) / len(several))
    if count is counts.bleu:
        again = BLEU(tokenize="13a")._compute_score_from_stats([sum(column) for column in zip(*rows, strict=True)])
        assert again.score == pytest.approx(made["score"])


@pytest.mark.parametrize("count", [counts.exact_match, counts.accuracy])
def test_a_share_is_the_mean_of_its_cases(count: counts.Count) -> None:
    made = count(["Ada.", "It is Ada", "Bob"], [["ada"], ["Ada"], ["Ada"]], "en")

    assert made["cases"] == ([100, 0, 0] if count is counts.exact_match else [100, 100, 0])
    assert made["score"] == pytest.approx(sum(made["cases"]) / 3)


def test_rouge_has_the_cases_of_each_kind() -> None:
    made = counts.rouge(SAID, REFERENCES, "en")

    assert set(made["cases"]) == set(counts.ROUGES)
    for name in counts.ROUGES:
        assert made[name] == pytest.approx(sum(made["cases"][name]) / len(SAID))
    assert made["cases"]["rougeL"][0] == pytest.approx(100)  # the better of two references


@pytest.mark.parametrize("count", [counts.rouge, counts.exact_match, counts.accuracy])
def test_an_answer_without_references_is_told(count: counts.Count) -> None:
    with pytest.raises(ValueError, match="shorter"):
        count(SAID, REFERENCES[:2], "en")


def test_a_language_that_nobody_counts_in_is_told() -> None:
    with pytest.raises(KeyError):
        counts.bleu(SAID, REFERENCES, "fr")
