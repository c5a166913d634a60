from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import demo, paths
from lab.errors import Refused
from lab.timeline import Moment
from release.errors import Refused as ReleaseRefused
from release.report import Report, Sample

Usage = namedtuple("Usage", "total used free")
GOOD, BAD = {"verdict": "promoted", "max_weight": 100}, {"verdict": "aborted", "max_weight": 5, "detect_seconds": 12.0}


def report(*releases: dict[str, Any], failed: int = 0, failed_stable: int = 0) -> Report:
    judged = [{"version": f"v1.{n}.0", "seconds": 1.0, **one} for n, one in enumerate(releases)]
    return Report.model_validate(
        {
            "commit": "c0ffee",
            "started": datetime(2026, 1, 1, tzinfo=UTC),
            "took_seconds": 1.0,
            "engine": "vllm 0",
            "releases": judged,
            "requests": {
                "total": 9,
                "failed": failed + failed_stable,
                "failed_stable": failed_stable,
                "cut_streams": 0,
            },
            "slack": [],
        }
    )


def test_two_good_ones_promoted_and_a_bad_one_stopped_is_a_success() -> None:
    assert demo.told(report(GOOD, GOOD, BAD)) == 0


@pytest.mark.parametrize(
    "seen",
    [
        report(GOOD, GOOD, GOOD),
        report(GOOD, BAD, BAD),
        report(GOOD),
        report(GOOD, GOOD, BAD, failed_stable=1),
        report(GOOD, GOOD, BAD, failed=1),  # on the canary, and its user has seen it
    ],
)
def test_anything_else_is_a_failure(seen: Report) -> None:
    assert demo.told(seen) == 1


def test_the_first_demo_needs_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(demo.checks, "memory", lambda _: None)
    monkeypatch.setattr(demo.shutil, "disk_usage", lambda _: Usage(0, 0, 3 * 2**30))
    with pytest.raises(Refused, match="has 3 GiB free, the first demo needs"):
        demo.room()

    (tmp_path / "registry").mkdir()  # images are there: a second demo builds next to nothing
    demo.room()


def test_the_time_of_every_part_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    clock = demo.Clock()
    with clock.part("tools"), clock.part("lab"):
        pass

    assert clock.line() == "where the time went: lab 0 s, tools 0 s"
    assert "== tools" in capsys.readouterr().out


def test_both_arms_are_asked_once_at_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 25 % a person would look; before it there is little of the canary, and after it no stable."""
    weights, asked = [0, 5, 25, 25, 100], []
    moments = [
        Moment(float(at), "v1.1.0", "2", one, at, "Progressing", False, "waiting") for at, one in enumerate(weights)
    ]
    news = iter([moments])
    ends = iter([False, True])
    line: Any = SimpleNamespace(
        ended=lambda version: next(ends),
        news=lambda version, seen, seconds: next(news),
        wait_verdict=lambda version, seconds: "promoted",
        of=lambda version: moments,
    )

    def taken(door: Any) -> list[Sample]:
        asked.append(door)
        return [Sample(id="a", question="2+2?", stable="4", canary="4")]

    monkeypatch.setattr(demo.samples, "through", lambda cluster, url, model: url)
    monkeypatch.setattr(demo.samples, "taken", taken)
    stage: Any = SimpleNamespace(
        url="http://gateway",
        cluster=lambda: None,
        write=lambda *given: None,
        deploy=lambda seconds: SimpleNamespace(wait=lambda seconds: 0),
        explained=list,
    )
    found = demo.one(stage, line, "v1.1.0", None, [])  # type: ignore[arg-type]
    assert asked == ["http://gateway"]
    assert [one.id for one in found.samples] == ["a"]


def test_a_canary_that_is_gone_costs_the_demo_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*given: Any) -> None:
        raise ReleaseRefused("there is no canary to ask")

    monkeypatch.setattr(demo.samples, "through", gone)
    stage: Any = SimpleNamespace(url="http://gateway", cluster=lambda: None)
    assert demo.side_by_side(stage) == []
