import json
from pathlib import Path

import pytest

from perf import report, stats
from perf.session import BASELINE, CANDIDATE, FLOOD, STEADY, Measured

BOUNDS = stats.Bounds(0.95, 0.85, 0.95)


def figures(speed: float, good: int = 10) -> stats.Figures:
    """Of an engine that is so many times as fast as another."""
    waits = {"p50": 0.1 / speed, "p90": 0.2 / speed, "p99": 0.3 / speed}
    return stats.Figures(10, 10, good, {}, 500 * speed, 30.0, waits, waits, waits, waits)


def run(speeds: dict[str, float], windows: int = 3, pairs: int = 2) -> list[Measured]:
    jitter = (1.0, 1.01, 0.99, 1.02)
    return [
        Measured(label, kind, window, figures(speed * (jitter[(window + pair) % 4] if label == CANDIDATE else 1)))
        for window in range(windows)
        for pair in range(pairs)
        for kind in (STEADY, FLOOD)
        for label, speed in speeds.items()
    ]


@pytest.mark.parametrize(("speed", "verdict"), [(1.0, "pass"), (0.7, "fail"), (1.4, "pass")])
def test_every_metric_says_the_same_of_an_engine_that_is_faster_or_slower(speed: float, verdict: str) -> None:
    found = report.judged(run({BASELINE: 1.0, CANDIDATE: speed}), BOUNDS)

    assert found.verdict == verdict
    assert {one.verdict(BOUNDS) for one in found.metrics.values()} == {verdict}
    assert set(found.metrics) == {"tokens_per_second", "ttft_p50", "tpot_p50", "e2e_p50"}
    assert found.metrics["ttft_p50"].ratio == pytest.approx(speed, rel=0.03)  # below 1 is worse, whatever the metric


def test_one_slow_metric_fails_all() -> None:
    slow = [
        Measured(one.label, one.kind, one.window, figures(0.6)) if (one.label, one.kind) == (CANDIDATE, STEADY) else one
        for one in run({BASELINE: 1.0, CANDIDATE: 1.0})
    ]
    found = report.judged(slow, BOUNDS)

    assert found.metrics["tokens_per_second"].verdict(BOUNDS) == "pass"
    assert found.verdict == "fail"


def test_each_window_is_judged_alone() -> None:
    windows = report.by_window(run({BASELINE: 1.0, CANDIDATE: 1.0}), BOUNDS)

    assert len(windows) == 3
    assert windows[0].document(BOUNDS)["tokens_per_second"]["pairs"] == 2


def test_a_first_release_must_answer_the_lowest_load_and_reach_the_floor_of_its_hardware() -> None:
    measured = run({CANDIDATE: 1.0})
    steps = [Measured(CANDIDATE, "step", 0, figures(1.0))]

    assert [one["verdict"] for one in report.floor_verdicts(measured, steps, "cpu", {})] == ["pass"]
    floors = {"NVIDIA L4": 900.0, "cpu": 100.0}
    assert [one["verdict"] for one in report.floor_verdicts(measured, steps, "NVIDIA L4", floors)] == ["pass", "fail"]
    deaf = [Measured(CANDIDATE, "step", 0, figures(1.0, good=4))]
    assert report.floor_verdicts(measured, deaf, "cpu", floors)[0]["verdict"] == "fail"


def test_the_report_names_the_metric_that_says_most_against_the_candidate() -> None:
    found = report.document(report.judged(run({BASELINE: 1.0, CANDIDATE: 0.9}), BOUNDS), BOUNDS, stats.Tool(), 500)

    assert found["ratio"] == found["metrics"][found["metric"]]["ratio"]
    assert found["ci"][0] == min(one["ci"][0] for one in found["metrics"].values())
    assert set(found) >= {"valid", "verdict", "schedule_p99_ms", "ceiling_ratio"}


def test_a_report_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "made" / "report.json"
    report.save({"verdict": "pass"}, file)
    with pytest.raises(ValueError, match="Circular"):
        loop: dict[str, object] = {}
        loop["me"] = loop
        report.save(loop, file)

    assert json.loads(file.read_text()) == {"verdict": "pass"}


def test_the_table_shows_each_step_and_each_ratio() -> None:
    found = report.document(report.judged(run({BASELINE: 1.0, CANDIDATE: 1.0}), BOUNDS), BOUNDS, stats.Tool(), 500)
    text = report.table([Measured(CANDIDATE, "step", 0, figures(1.0))], found)

    assert "candidate" in text
    assert text.count("of the live release's") == 4
