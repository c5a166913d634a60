from pathlib import Path
from typing import Any

import pytest

from lab import e2e
from lab.errors import Refused
from lab.scenario import Scenario
from lab.stage import Images

ROW: dict[str, Any] = {
    "name": "one",
    "ok": True,
    "verdict": "aborted",
    "detect_seconds": 4.2,
    "failed_stable": 0,
    "seconds": 47.0,
    "faults": [],
}


def test_a_row_is_one_line_and_each_fault_one_more() -> None:
    assert e2e.line(ROW) == "  ok     aborted, detected in 4 s, 0 failed on stable, 47 s"
    assert e2e.line({**ROW, "ok": False, "faults": ["late"]}).splitlines()[1].strip() == "late"


def test_one_failed_scenario_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert e2e.summed([ROW]) == 0
    assert e2e.summed([ROW, {**ROW, "ok": False}]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed"


def test_a_folder_without_scenarios_is_one_line_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["e2e", str(tmp_path)])

    assert e2e.main() == 5
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("do", e2e.OWN_ACTIONS)
def test_what_is_not_ours_to_break_is_refused_in_somebody_elses_cluster(do: str) -> None:
    wanted = {"verdict": "promoted", "max_weight": 100}
    one = Scenario.model_validate({"name": "one", "says": "x", "actions": [{"do": do}], "expected": wanted})

    with pytest.raises(Refused, match=f"one: {do} is for the lab's own cluster"):
        e2e.elsewhere([one])


def test_a_check_that_needs_the_labs_database_is_refused_in_somebody_elses_cluster() -> None:
    wanted = {"verdict": "promoted", "max_weight": 100}
    one = Scenario.model_validate({"name": "one", "says": "x", "checks": ["ratings-kept"], "expected": wanted})

    with pytest.raises(Refused, match="one: ratings-kept is for the lab's own cluster"):
        e2e.elsewhere([one])


def test_what_only_breaks_the_release_is_played_anywhere() -> None:
    wanted = {"verdict": "aborted", "max_weight": 5}
    one = Scenario.model_validate({"name": "one", "says": "x", "actions": [{"do": "abort"}], "expected": wanted})

    e2e.elsewhere([one])


class Yard:
    def gateway(self, before: Images, kind: str) -> str:
        return f"{before.gateway}-{kind}"


@pytest.mark.parametrize(
    ("changes", "gateway", "engine"),
    [("engine", "g1", "e2"), ("gateway", "g1-slow", "e1"), ("both", "g1-slow", "e2")],
)
def test_a_release_changes_what_its_scenario_says(changes: str, gateway: str, engine: str) -> None:
    wanted = {"verdict": "promoted", "max_weight": 100}
    given = {"name": "one", "says": "x", "parts": changes, "gateway": "slow", "expected": wanted}
    old, new = Images("g1", "e1", "l", {}), Images("g1", "e2", "l", {})

    found = e2e.changed(Scenario.model_validate(given), Yard(), old, new)  # type: ignore[arg-type]

    assert (found.gateway, found.engine) == (gateway, engine)
