import random

import pytest

from perf import stats
from perf.sample import Sample

BOUNDS = stats.Bounds(tolerated=0.95, unacceptable=0.85, confidence=0.95)


def noisy(true: float, pairs: int = 20, seed: int = 1) -> tuple[list[float], list[float]]:
    """Pairs that a slow machine disturbs alike, with a little noise of their own."""
    draw = random.Random(seed)  # noqa: S311
    slow = [draw.uniform(0.5, 1) for _ in range(pairs)]
    return [100 * one * draw.gauss(1, 0.02) for one in slow], [100 * true * one * draw.gauss(1, 0.02) for one in slow]


@pytest.mark.parametrize(("true", "verdict"), [(1.0, "pass"), (0.7, "fail")])
def test_a_difference_is_told_from_noise(true: float, verdict: str) -> None:
    assert stats.ratio(*noisy(true), 0.95).verdict(BOUNDS) == verdict


def test_one_pair_decides_nothing() -> None:
    assert stats.ratio([100.0], [50.0], 0.95).verdict(BOUNDS) == "unsure"


def test_five_pairs_decide_nothing_and_six_that_agree_do() -> None:
    """With five, all of one sign come by chance in one of 32 cases: more than one in 40."""
    assert stats.ratio([100.0] * 5, [50.0] * 5, 0.95).verdict(BOUNDS) == "unsure"
    assert stats.ratio([100.0] * 6, [50.0] * 6, 0.95).verdict(BOUNDS) == "fail"


@pytest.mark.parametrize(("pairs", "cut"), [(5, 0), (6, 1), (8, 1), (12, 3), (15, 4), (20, 6)])
def test_the_interval_is_that_of_the_published_tables(pairs: int, cut: int) -> None:
    """Two-sided 95 % intervals of a median by order statistics: Conover, Practical Nonparametric Statistics, 3.2."""
    assert stats.outside(pairs, 0.025) == cut


def test_a_burst_that_hit_one_side_of_some_pairs_changes_nothing() -> None:
    old, new = noisy(1.0, pairs=12)
    new[2], new[7] = new[2] / 5, new[7] / 3

    assert stats.ratio(old, new, 0.95).verdict(BOUNDS) == "pass"


def test_the_same_engine_twice_fails_in_none_of_twenty_runs() -> None:
    verdicts = [stats.ratio(*noisy(1.0, seed=seed), 0.95).verdict(BOUNDS) for seed in range(20)]

    assert verdicts == ["pass"] * 20


def test_one_failure_fails_all_and_a_pass_needs_every_pass() -> None:
    assert stats.together(["pass", "fail", "unsure"]) == "fail"
    assert stats.together(["pass", "unsure"]) == "unsure"
    assert stats.together(["pass", "pass"]) == "pass"
    assert stats.together([]) == "unsure"


def sample(intended: float, sent: float = 0.0, first: float = 0.1, end: float = 1.0) -> Sample:
    return Sample("a", "chat", "en", intended, sent=sent, first=first, last=end, end=end, tokens=10)


def test_a_schedule_that_slipped_makes_the_run_invalid() -> None:
    tool = stats.Tool()
    tool.add([sample(at / 10, sent=0.05) for at in range(100)], rate=10, seconds=10)

    assert [doubt.partition(":")[0] for doubt in tool.doubts(ceiling=100)] == ["requests left late"]


def test_a_tool_that_could_not_have_asked_more_makes_the_run_invalid() -> None:
    tool = stats.Tool()
    tool.add([sample(at / 10) for at in range(100)], rate=10, seconds=11)

    assert tool.doubts(ceiling=20) == []
    assert tool.doubts(ceiling=15)[0].startswith("the tool itself ends at 15/s")


def test_goodput_counts_what_met_both_bounds_of_all_that_was_asked() -> None:
    slow = sample(0.2, first=2.0)
    broken = sample(0.3)
    broken.outcome = "stream_truncated"
    found = stats.figures([sample(0), sample(0.1), slow, broken], 10, stats.Slo(ttft=0.5, tpot=0.2))

    assert found.goodput == 0.5
    assert found.failures == {"stream_truncated": 1}
    assert found.ttft["p50"] == pytest.approx(0.1)


def test_a_good_answer_without_a_text_is_as_fast_as_its_end() -> None:
    """One token of a Chinese character is no character yet."""
    silent = sample(0, end=0.2)
    silent.first = silent.last = None

    assert stats.Slo(ttft=0.5, tpot=0.2).met(silent)
    assert not stats.Slo(ttft=0.1, tpot=0.2).met(silent)
