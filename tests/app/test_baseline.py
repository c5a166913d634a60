import pytest

from app.arms import Arms
from app.baseline import WANTED, Baseline
from app.metrics import Metrics

WHERE = ("n/llm", "v2-r2", "0", "canary", "probe")


def arms(release: str = "v2-r2", in_progress: bool = True) -> Arms:
    return Arms("n/llm", release, "v2", in_progress, 0, ("http://s",), ("http://c",))


@pytest.fixture
def baseline() -> Baseline:
    return Baseline(Metrics(60), {"ttft": 0.05, "tpot": 0.02})


def slow(baseline: Baseline) -> float:
    return sum(s.value for m in baseline.metrics.slow.collect() for s in m.samples if s.name.endswith("_total"))


def bounds(baseline: Baseline) -> list[tuple[str, str, float]]:
    samples = [s for m in baseline.metrics.bound.collect() for s in m.samples]
    return [(s.labels["source"], s.labels["origin"], s.value) for s in samples]


def seen(baseline: Baseline, seconds: float, number: int = WANTED, arm: str = "stable") -> None:
    for _ in range(number):
        baseline.add(arm, "probe", "ttft", seconds)


def test_the_bound_is_twice_stables_p99(baseline: Baseline) -> None:
    seen(baseline, 0.2)
    baseline.begin(arms())

    assert bounds(baseline) == [("probe", "measured", pytest.approx(0.4))]


def test_the_bound_is_at_least_50_ms_above(baseline: Baseline) -> None:
    seen(baseline, 0.01)
    baseline.begin(arms())

    assert bounds(baseline)[0][2] == pytest.approx(0.06)


def test_too_few_requests_give_no_bound_and_nothing_is_slow(baseline: Baseline) -> None:
    seen(baseline, 0.2, WANTED - 1)
    baseline.begin(arms())
    baseline.judge(WHERE, "ttft", 9.0)

    assert bounds(baseline) == []
    assert slow(baseline) == 0


def test_requests_from_before_the_bound_are_judged_when_it_appears(baseline: Baseline) -> None:
    baseline.begin(arms())
    baseline.judge(WHERE, "ttft", 9.0)
    baseline.judge(WHERE, "ttft", 0.1)
    seen(baseline, 0.2)

    assert slow(baseline) == 1


def waiting(baseline: Baseline) -> float:
    samples = [s for m in baseline.metrics.unmeasured.collect() for s in m.samples]
    return sum(s.value for s in samples if (s.labels["step"], s.labels["arm"]) == ("0", "canary"))


def test_the_gate_is_told_how_many_requests_wait_for_a_bound(baseline: Baseline) -> None:
    baseline.metrics.begin(arms())
    baseline.begin(arms())
    assert waiting(baseline) == 0
    baseline.judge(WHERE, "ttft", 9.0)
    baseline.judge(WHERE, "ttft", 0.1)
    assert waiting(baseline) == 2
    seen(baseline, 0.2)
    assert waiting(baseline) == 0


def test_a_time_that_waits_for_another_bound_goes_on_waiting(baseline: Baseline) -> None:
    baseline.begin(arms())
    baseline.judge(WHERE, "tpot", 9.0)
    seen(baseline, 0.2)

    assert waiting(baseline) == 1


def test_what_came_under_an_earlier_release_does_not_wait(baseline: Baseline) -> None:
    baseline.begin(arms("v3-r3"))
    baseline.judge(WHERE, "ttft", 9.0)

    assert waiting(baseline) == 0
    assert not baseline.unjudged


def test_the_bound_is_frozen_while_a_release_is_judged(baseline: Baseline) -> None:
    seen(baseline, 0.2)
    baseline.begin(arms())
    seen(baseline, 2.0)
    baseline.judge(WHERE, "ttft", 1.0)

    assert slow(baseline) == 1


def test_the_canary_does_not_move_the_bound(baseline: Baseline) -> None:
    seen(baseline, 9.0, arm="canary")
    baseline.begin(arms())

    assert bounds(baseline) == []


def test_the_last_releases_bound_stands_in_and_says_so(baseline: Baseline) -> None:
    seen(baseline, 0.2)
    baseline.begin(arms("v2-r2"))
    baseline.seen["probe", "ttft"].clear()
    baseline.begin(arms("v3-r3"))

    assert ("probe", "kept", pytest.approx(0.4)) in bounds(baseline)


def test_without_a_release_in_progress_nothing_is_kept_to_be_judged(baseline: Baseline) -> None:
    baseline.begin(arms(in_progress=False))
    for _ in range(10):
        baseline.judge(WHERE, "ttft", 9.0)

    assert not baseline.unjudged
