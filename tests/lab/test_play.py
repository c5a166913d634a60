from pathlib import Path
from typing import Any

import pytest

from lab.measures import Noticed
from lab.play import Play
from lab.scenario import Scenario
from lab.stage import Images, Stage
from lab.timeline import Moment, Timeline

IMAGES = Images("g", "e", "l", {})


def played(tmp_path: Path, expected: dict[str, Any] | None = None, **seen: Any) -> list[str]:
    wanted = {"verdict": "aborted", "max_weight": 5, "detect_seconds": 60, "alert": "ABORTED", "failed": 3} | (
        expected or {}
    )
    scenario = Scenario.model_validate({"name": "one", "says": "x", "expected": wanted})
    play = Play(scenario, Stage("one", 30100, tmp_path), IMAGES, IMAGES, lambda _: None)
    good = {"verdict": "aborted", "max_weight": 5, "exit_code": 3, "detect_seconds": 10.0, "alert": "ABORTED"}
    for name, value in {**good, "noticed": Noticed(10, 1, 0, 0), **seen}.items():
        setattr(play if name == "gateway" else play.result, name, value)
    return play.differences()


def test_what_is_as_expected_has_no_difference(tmp_path: Path) -> None:
    assert played(tmp_path) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"verdict": "promoted"}, "verdict promoted, expected aborted"),
        ({"max_weight": 25}, "the canary got 25 %, expected at most 5 %"),
        ({"exit_code": 0}, "sluice ended with 0, expected 3"),
        ({"noticed": Noticed(10, 2, 2, 0)}, "stable failed 2 requests, at most 0 expected"),
        ({"noticed": Noticed(10, 4, 0, 0)}, "stable and canary failed 4 requests, at most 3 expected"),
        ({"detect_seconds": 61.0}, "stopped 61.0 s after the first bad one, limit 60.0 s"),
        ({"detect_seconds": None}, "stopped None s after the first bad one, limit 60.0 s"),
        ({"alert": None}, "nothing with 'ABORTED' reached Slack within 45 s"),
    ],
)
def test_every_difference_is_said(tmp_path: Path, seen: dict[str, Any], said: str) -> None:
    assert played(tmp_path, **seen) == [said]


def test_what_helm_test_refuses_is_a_difference(tmp_path: Path) -> None:
    scenario = Scenario.model_validate(
        {"name": "one", "says": "x", "expected": {"verdict": "promoted", "max_weight": 100}}
    )
    play = Play(scenario, Stage("one", 30100, tmp_path), IMAGES, IMAGES, lambda _: None)
    play.result.verdict, play.result.exit_code, play.refused = "promoted", 0, "Error: pod failed"

    assert play.differences() == ["helm test: Error: pod failed"]


def test_what_sluice_explain_must_say_is_looked_for(tmp_path: Path) -> None:
    wanted = {"verdict": "aborted", "max_weight": 5, "explained": "(undecided)"}
    scenario = Scenario.model_validate({"name": "one", "says": "x", "expected": wanted})
    play = Play(scenario, Stage("one", 30100, tmp_path), IMAGES, IMAGES, lambda _: None)
    play.result.verdict, play.result.exit_code, play.said = "aborted", 3, "Gate bad-share failed."

    assert play.differences() == ["sluice explain does not say '(undecided)' but: Gate bad-share failed."]


def moment(pods: int, weight: int = 0, verdict: str = "waiting") -> Moment:
    return Moment(1.0, "v1.1.0", "2", weight, 0, "Progressing", verdict == "aborted", verdict, pods)


GATEWAY_FIRST = {"engine_begins": False, "gateway_pods": 1}


def test_an_engine_that_did_not_begin_and_one_new_gateway_pod_are_as_expected(tmp_path: Path) -> None:
    seen = {"moments": [moment(0), moment(0, verdict="aborted")], "gateway": [moment(0), moment(1)]}
    assert played(tmp_path, GATEWAY_FIRST, **seen) == []


def test_an_engine_that_is_not_changed_has_not_begun(tmp_path: Path) -> None:
    assert played(tmp_path, GATEWAY_FIRST, moments=[moment(1, weight=100, verdict="promoted")]) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"moments": [moment(0), moment(1)]}, "a pod of the new engine was started"),
        ({"gateway": [moment(1), moment(2)]}, "the new gateway got 2 pods, expected at most 1"),
    ],
)
def test_a_part_that_went_too_far_is_said(tmp_path: Path, seen: dict[str, Any], said: str) -> None:
    assert played(tmp_path, GATEWAY_FIRST, **seen) == [said]


def test_failures_on_any_arm_are_counted_when_none_may_fail(tmp_path: Path) -> None:
    said = "stable and canary failed 2 requests, at most 0 expected"
    assert played(tmp_path, {"failed": 0}, noticed=Noticed(10, 2, 0, 1)) == [said]


@pytest.mark.parametrize(("weight", "undone"), [(25, []), (5, ["the canary never got 25 %: no abort there"])])
def test_what_was_due_at_a_weight_that_never_came_is_said(tmp_path: Path, weight: int, undone: list[str]) -> None:
    scenario = Scenario.model_validate(
        {"name": "one", "says": "x", "expected": {"verdict": "aborted", "max_weight": 25}}
    )
    play = Play(scenario, Stage("one", 30100, tmp_path), IMAGES, IMAGES, lambda _: None)
    timeline = Timeline(None)  # type: ignore[arg-type]
    timeline.moments = [moment(1, weight), moment(1, verdict="aborted")]

    assert play.came(timeline, 25, "abort") is (not undone)
    assert play.undone == undone
