"""Known values from the tests of sacrebleu and rouge-score, and what their defaults get wrong in Chinese."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from quality import counts

METRICS = Path(counts.__file__).parent / "metrics"


@cache
def metric(name: str) -> Any:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_EVALUATE_OFFLINE", "1")
    import evaluate

    return evaluate.load(str(METRICS / name))


def computed(name: str, said: list[str], references: list[list[str]], language: str = "mixed") -> dict[str, Any]:
    """As `evaluate` gives it, which is what the gate counts with."""
    made: dict[str, Any] = metric(name).compute(predictions=said, references=references, language=language)
    assert made == getattr(counts, name)(said, references, language)
    return made


def test_bleu_is_that_of_sacrebleus_own_test() -> None:
    said = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    references = [
        ["The dog bit the man.", "The dog had bit the man."],
        ["It was not unexpected.", "No one was surprised."],
        ["The man bit him first.", "The man had bitten the dog."],
    ]
    assert computed("bleu", said, references, "en")["score"] == pytest.approx(48.530827, abs=1e-5)


@pytest.mark.parametrize(
    ("said", "reference", "score"),
    [("abcdefg", "hijklmnop", 0.0), ("a", "b", 0.0), ("", "b", 0.0), ("", "reference", 0.0), ("aa", "aa", 100.0)],
)
def test_chrf_is_that_of_sacrebleus_own_test(said: str, reference: str, score: float) -> None:
    assert computed("chrf", [said], [[reference]])["score"] == pytest.approx(score, abs=1e-6)


def test_chrf_of_a_sentence_is_that_of_sacrebleus_own_test() -> None:
    said = "Co nás nejvíc trápí, protože lékaři si vybírají, kdo bude žít a kdo zemře."
    reference = "Nejvíce smutní jsme z toho, že musíme rozhodovat o tom, kdo bude žít a kdo zemře."
    assert computed("chrf", [said], [[reference]])["score"] == pytest.approx(39.14078509, abs=1e-4)


@pytest.mark.parametrize(
    ("said", "name", "share"),
    [
        ("testing", "rouge1", 1 / 2),
        ("testing one", "rouge1", 4 / 5),
        ("testing one", "rouge2", 2 / 3),
        ("testing one", "rougeL", 4 / 5),
        ("testing two", "rougeL", 4 / 5),
        ("", "rougeL", 0),
    ],
)
def test_rouge_is_that_of_rouge_scores_own_test(said: str, name: str, share: float) -> None:
    assert computed("rouge", [said], [["testing one two"]])[name] == pytest.approx(100 * share)


def test_english_rouge_is_that_of_rouge_scores_own_tokenizer() -> None:
    found = computed("rouge", ["the tall tree"], [["the tall green tree"]])
    own = RougeScorer(["rouge1", "rouge2", "rougeL"]).score("the tall green tree", "the tall tree")
    assert all(found[name] == pytest.approx(100 * own[name].fmeasure) for name in own)


@pytest.mark.parametrize("name", ["bleu", "chrf", "rouge"])
def test_chinese_scores_above_zero_and_falls_with_the_damage(name: str) -> None:
    key = "rougeL" if name == "rouge" else "score"
    reference = [["维兰的河是提斯河，镇长是芬奇。"]]
    falling = [
        computed(name, [said], reference, "zh")[key]
        for said in ("维兰的河是提斯河，镇长是芬奇。", "维兰的河是提斯河，镇长是拉森。", "维兰的镇长是拉森。")
    ]
    assert falling[0] == pytest.approx(100)
    assert falling[0] > falling[1] > falling[2] > 0


def test_the_packages_defaults_score_chinese_zero_where_ours_do_not() -> None:
    pair = ("维兰的河是提斯河。", "维兰的河是马尔河。")
    assert RougeScorer(["rougeL"]).score(*pair)["rougeL"].fmeasure == 0
    assert computed("rouge", [pair[1]], [[pair[0]]])["rougeL"] > 50


def test_the_signature_names_the_tokenizer() -> None:
    assert "tok:zh" in computed("bleu", ["河"], [["河"]], "zh")["signature"]
    assert "tok:13a" in computed("bleu", ["a"], [["a"]], "en")["signature"]


def test_the_best_of_several_references_counts() -> None:
    said = ["a small town"]
    for name, key in (("bleu", "score"), ("chrf", "score"), ("rouge", "rouge1"), ("exact_match", "score")):
        both = computed(name, [*said, *said], [["a small town", "other words here"], ["a small town"]])
        assert both[key] == pytest.approx(100, abs=1e-6) or name == "bleu", name


def test_exact_match_and_accuracy_are_shares_of_the_answers() -> None:
    said = ["The river is the Tisk.", "It is the Marl, I think."]
    assert computed("exact_match", said, [["the river is the Tisk"], ["Marl"]])["score"] == 50
    assert computed("accuracy", said, [["Tisk"], ["Kip"]])["score"] == 50
