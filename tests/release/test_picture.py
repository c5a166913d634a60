import re

from release.picture import evidence, timeline, unbroken
from release.report import Bucket, Point, Series, Timeline, Weight, Weights


def run(*outcomes: Bucket) -> Timeline:
    points = [Weight(t=0, weight=1), Weight(t=10, weight=5), Weight(t=20, weight=0)]
    return Timeline(bucket_seconds=5, weights=[Weights(version="v1.2.0", points=points)], outcomes=list(outcomes))


def test_each_arm_and_outcome_is_a_bar_that_says_its_count() -> None:
    picture = timeline(run(Bucket(t=5, arm="stable", ok=50), Bucket(t=5, arm="canary", ok=1, bad=2)), 30)
    assert re.findall(r"<title>(.*?)</title>", picture) == [
        "0:05  stable: 50 ok",
        "0:05  canary: 1 ok",
        "0:05  canary: 2 bad",
    ]


def test_bars_stack_and_never_overlap() -> None:
    picture = timeline(run(Bucket(t=5, arm="stable", ok=50), Bucket(t=5, arm="canary", ok=10)), 30)
    (low, height), (top, other) = re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', picture)
    assert float(top) + float(other) == float(low)
    assert float(height) == round(5 * float(other), 1)


def test_a_release_is_named_where_it_began() -> None:
    assert ">v1.2.0</text>" in timeline(run(), 30)


def test_a_run_without_requests_is_still_drawn() -> None:
    assert timeline(run(), 30).startswith("<svg")


def test_evidence_begins_anew_at_each_step() -> None:
    points = [Point(t=t, step=step, tolerated=1, stable=1) for t, step in ((0, "1"), (5, "1"), (10, "5"))]
    assert [len(part) for part in unbroken(points)] == [2, 1]
    picture = evidence(Series(gate="bad-share", source="user", release="r", points=points), 1000, 100)
    assert picture.count('class="stroke fail"') == 2
    assert "5 %" in picture


def test_the_weaker_evidence_is_what_may_stop() -> None:
    assert Point(t=0, tolerated=5, stable=3).fail == 3
    assert Point(t=0, tolerated=5).fail is None


def test_a_gate_without_readings_shows_its_limits() -> None:
    picture = evidence(Series(gate="g", source="probe", release="r", points=[]), 1000, 100)
    assert "stop at 1,000" in picture
    assert "pass at 100" in picture
