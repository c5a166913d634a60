from collections.abc import Callable

import pytest

from quality import judge, record
from quality.cases import Case
from rollouts import gates

Answered = Callable[..., record.Record]


@pytest.fixture(scope="module")
def quality() -> gates.Quality:
    return gates.load().quality


def swapped(text: str) -> str:
    return text.replace("Tisk", "Kip").replace("Marl", "Tisk").replace("提斯", "小跳").replace("马尔", "提斯")


def test_the_same_answers_pass(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    found = judge.judge(asked, answered(3), answered(3), quality)
    assert found.verdict == "pass"
    assert {figure.low for group in found.groups for figure in group.figures.values()} == {0.0}


def test_a_few_more_wrong_answers_than_the_margin_are_not_enough_evidence(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    found = judge.judge(asked, answered(2), answered(), quality)
    assert (found.verdict, found.reason.split(":")[0]) == ("unsure", "not enough evidence")


def test_many_wrong_answers_fail(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    found = judge.judge(asked, answered(12), answered(), quality)
    assert found.verdict == "fail"
    assert f"margin {quality.margins['bleu']:g}" in found.reason


def test_damage_to_chinese_alone_fails_by_its_name(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    bad, good = answered(14), answered()
    mixed = {name: (bad if name.startswith("zh") else good).answers[name] for name in good.answers}
    found = judge.judge(asked, record.Record(good.head, mixed), good, quality)
    assert found.verdict == "fail"
    assert "(zh)" in found.reason
    verdicts = {group.name: group.verdict for group in found.groups}
    assert (verdicts["zh"], verdicts["en"]) == ("fail", "pass")


def test_wrong_facts_in_fluent_sentences_are_called_so(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    found = judge.judge(asked, answered(36, swapped), answered(), quality)
    assert found.verdict == "fail"
    assert "wrong facts" in found.reason


def test_broken_text_fails_even_when_it_is_rare(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    found = judge.judge(asked, answered(1, lambda text: text + "\ufffd"), answered(), quality)
    assert found.verdict == "fail"
    assert judge.judge(asked, answered(1, lambda text: text + " "), answered(), quality).verdict == "pass"


def test_a_better_candidate_passes(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    assert judge.judge(asked, answered(), answered(12), quality).verdict == "pass"


def test_tags_are_shown_and_not_judged(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    found = judge.judge(asked, answered(12), answered(), quality)
    river = found.group("river")
    assert river is not None
    assert {figure.margin for figure in river.figures.values()} == {None}


def test_the_same_answers_get_the_same_verdict(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    first, second = (judge.judge(asked, answered(3), answered(), quality).groups for _ in range(2))
    assert first == second


def test_one_mended_prompt_that_goes_wrong_again_fails(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    mended = [asked[0].model_copy(update={"tags": (judge.REGRESSION,)}), *asked[1:]]
    found = judge.judge(mended, answered(1), answered(), quality)
    assert (found.verdict, found.reason) == (
        "fail",
        "1 prompts that had been mended went wrong again, en-0 first",
    )
    assert judge.judge(mended, answered(), answered(1), quality).verdict == "pass"
    assert judge.judge(mended, answered(1), answered(1), quality).verdict == "pass"
