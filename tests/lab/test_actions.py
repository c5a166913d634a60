import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest

from lab import actions
from lab.errors import NotReady
from lab.scenario import Action
from lab.stage import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(actions, "kubectl", lambda *_, **__: "")
    return Stage("one", 30100, tmp_path)


def test_every_action_that_a_scenario_may_name_is_done_by_something() -> None:
    known = set(get_args(Action.model_fields["do"].annotation))

    assert set(actions.DOES) | {"kill-watcher"} == known


def test_metrics_count_as_hidden_only_when_prometheus_has_forgotten_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[{"value": [0, "1"]}], []])
    monkeypatch.setattr(actions, "prometheus_answer", lambda _: next(answers))
    monkeypatch.setattr(actions.time, "sleep", lambda _: None)
    actions.hide_metrics(stage, 0)

    assert list(answers) == []


def test_a_prometheus_that_goes_on_scraping_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100, 20))
    monkeypatch.setattr(actions, "prometheus_answer", lambda _: [{}])
    monkeypatch.setattr(actions.time, "sleep", lambda _: None)
    monkeypatch.setattr(actions.time, "monotonic", lambda: next(clock))

    with pytest.raises(NotReady, match="still scrapes the gateway"):
        actions.hide_metrics(stage, 0)


class Ended:
    def __init__(self, code: int) -> None:
        self.code = code

    def wait(self, _: float) -> int:
        return self.code


def test_an_abort_that_fails_is_not_taken_for_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def sluice(_: Stage, *arguments: str) -> Any:
        given.extend(arguments)
        return Ended(7)

    monkeypatch.setattr(Stage, "sluice", sluice)
    with pytest.raises(NotReady, match="sluice abort failed"):
        actions.abort(stage, 0)
    assert given[0] == "abort"


def test_a_killed_watcher_is_picked_up_by_another(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = subprocess.Popen(["sleep", "60"])
    monkeypatch.setattr(Stage, "sluice", lambda _, *arguments: arguments)

    assert actions.kill_watcher(watcher, stage, 90)[0] == "watch"  # type: ignore[index]
    assert watcher.returncode == -9
