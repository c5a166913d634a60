import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model import damage
from quality import judge, proof, record, versions
from quality.cases import Case
from quality.judge import Side
from rollouts import gates

Answered = Callable[..., record.Record]


@pytest.fixture(scope="module")
def quality() -> gates.Quality:
    return gates.load().quality.model_copy(update={"resamples": 200})


def test_different_seeds_of_one_recipe_raise_no_alarm(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    seeds = {f"seed {wrong}": Side.of(asked, answered(wrong)) for wrong in (0, 1)}
    found = proof.alarms(asked, seeds, quality)
    assert (found["comparisons"], found["fail"]) == (200, 0)


def test_alarms_are_counted_where_seeds_differ(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    found = proof.alarms(asked, {"a": Side.of(asked, answered()), "b": Side.of(asked, answered(20))}, quality)
    assert found["fail"] == 100  # every second comparison is the worse against the better


def test_a_drop_is_planted_as_large_as_it_was_asked_for(asked: list[Case], answered: Answered) -> None:
    sides = {name: Side.of(asked, answered(wrong)) for name, wrong in (("live", 0), ("next", 0), ("bad", 36))}
    mixed, drop = proof.damaged(sides, 10.0, np.random.Generator(np.random.PCG64(1)))
    assert 10.0 <= drop < 14.0
    whole = np.ones((1, len(asked)))
    assert mixed.scores.at(whole)["bleu"][0] == pytest.approx(100 - drop)


def test_power_is_the_share_of_planted_drops_that_fail(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    good, bad = Side.of(asked, answered()), Side.of(asked, answered(36))
    found = proof.power(asked, good, good, bad, quality)
    assert found["comparisons"] == found["pass"] + found["fail"] + found["unsure"] == 100
    assert found["bleu_drop"] >= quality.margins["bleu"] + 5


def test_the_margin_must_be_three_times_the_spread(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    seeds = {str(wrong): Side.of(asked, answered(wrong)) for wrong in (0, 9)}
    wide = quality.model_copy(update={"margins": {"bleu": 90.0, "accuracy": 90.0}})
    assert proof.tight(proof.spread(asked, seeds, wide)) == []
    assert proof.tight(proof.spread(asked, seeds, quality)) == list(quality.margins)


def test_the_spread_is_that_of_the_group_where_seeds_differ_most(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    one = answered()
    for case in asked:
        if case.language == "zh":
            one.answers[case.id] = record.Said(case.id, "x")
    found = proof.spread(asked, {"a": Side.of(asked, answered()), "b": Side.of(asked, one)}, quality)
    assert found["accuracy"]["in"] == "zh"
    assert found["accuracy"]["largest_deviation"] > found["accuracy"]["deviation"] > 0


def test_a_mended_prompt_that_goes_wrong_again_is_an_alarm_too(
    asked: list[Case], answered: Answered, quality: gates.Quality
) -> None:
    mended = [asked[0].model_copy(update={"tags": (judge.REGRESSION,)}), *asked[1:]]
    sides = {"a": Side.of(mended, answered()), "b": Side.of(mended, answered(1))}
    assert proof.alarms(mended, sides, quality)["fail"] > 0


def test_a_verdict_is_right_with_its_reason_only(asked: list[Case], answered: Answered, quality: gates.Quality) -> None:
    found = judge.judge(asked, answered(30), answered(), quality)
    trial = proof.report.Trial("x", "fail", found, answered(30))
    version = versions.Version("x", "fail", "worse answers")
    assert proof.right(version, trial)
    assert not proof.right(replace(version, sign="wrong facts"), trial)
    assert not proof.right(replace(version, expected="pass"), trial)


def test_known_versions_are_made_two_at_a_time_and_none_after_an_error() -> None:
    both, begun = threading.Barrier(2), []

    def made(number: int) -> int:
        begun.append(number)
        if number < 2:
            both.wait(5)  # a third would not come before these two are done
        elif number == 4:
            raise ValueError("no engine")
        elif number > 4:
            stopped.wait(5)
        return number * 2

    stopped = threading.Event()
    assert proof.all_of(range(4), made) == [0, 2, 4, 6]
    begun.clear()
    threading.Timer(0.2, stopped.set).start()
    with pytest.raises(ValueError, match="no engine"):
        proof.all_of(range(4, 40), made)
    assert len(begun) < 6


@pytest.mark.parametrize(("head", "code"), [('{"set": "0", "model": "m"}\n', 24), ("no json\n", 20), ("", 20)])
def test_a_baseline_that_does_not_fit_ends_the_gate_before_an_engine_starts(
    head: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "baseline.jsonl"
    baseline.write_text(head)
    monkeypatch.setattr(proof.cli, "BASELINE", baseline)
    monkeypatch.chdir(tmp_path)
    assert proof.main([]) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert [*tmp_path.iterdir()] == [baseline]


def test_every_known_version_has_a_way_to_be_made() -> None:
    known = [*versions.BAD, *versions.GOOD]
    assert [one.name for one in known if not one.training and one.name not in damage.CHANGES] == []
    assert len(versions.SEEDS) >= 5
    assert {one.expected for one in versions.BAD} == {"fail"}
