import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab import holds, paths
from lab.errors import NotReady
from lab.linters import HEX, IMAGE
from lab.process import run
from lab.runner import Ran
from release.write import path_of
from tests.lab.test_deliveries import place
from tests.release.team import Team

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def steps() -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """What the chart makes of steps: those of the engine's canary."""
    named = f"release.version=v1.0.0,release.images.gateway={IMAGE},release.images.engine={IMAGE}"
    model = f"release.model.id=m,release.model.revision=r,release.model.sha256={HEX},release.gates={HEX}"
    words = ["llm", str(paths.ROOT / "charts/llm"), "--values", str(paths.ROOT / "environments/lab/values.yaml")]

    def rendered(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        more = ["--set", named, "--set", model, "--set-json", f"rollouts.steps={json.dumps(given)}"]
        found = list(YAML(typ="safe", pure=True).load_all(run(paths.BIN / "helm", "template", *words, *more)))
        [engine] = [
            one for one in found if one and one["kind"] == "Rollout" and one["metadata"]["name"] == "llm-engine"
        ]
        made: list[dict[str, Any]] = engine["spec"]["strategy"]["canary"]["steps"]
        return made

    return rendered


def test_the_holds_are_a_bake_then_a_person_then_a_window(steps: Any) -> None:
    bake, person, window = steps(holds.WAITS)[-3:]
    assert (bake, person) == ({"pause": {"duration": f"{holds.BAKE}s"}}, {"pause": {}})
    [template] = window["analysis"]["templates"]
    assert template == {"templateName": "llm-window"}


@pytest.mark.parametrize("hour", range(24))
def test_the_closed_window_is_hours_away_whatever_the_hour(hour: int, steps: Any) -> None:
    window = holds.shut(NOON.replace(hour=hour, minute=59, second=59))
    assert not {hour, (hour + 1) % 24} & set(range(window["from"], window["to"]))
    if hour in (0, 12):
        made = steps(holds.closing(NOON.replace(hour=hour)))
        before = made[made.index({"setWeight": 50}) - 1]
        assert before["analysis"]["templates"] == [{"templateName": "llm-window"}]


def at(second: int) -> str:
    return f"2026-01-01T12:00:{second:02}Z"


def test_baking_is_counted_from_the_last_look_of_a_steps_gates() -> None:
    rollout = {"status": {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": at(20)}]}}
    runs = [
        {
            "metadata": {"labels": {"rollout-type": kind}},
            "status": {"metricResults": [{"measurements": [{"finishedAt": at(one)} for one in ends]}]},
        }
        for kind, ends in (("Step", (3, 8)), ("Step", (14,)), ("Background", (19,)))
    ]
    assert holds.baked(rollout, runs) == 6


def test_only_a_window_that_is_waited_for_is_looked_at() -> None:
    def found(phase: str, name: str) -> dict[str, Any]:
        return {"status": {"phase": phase, "metricResults": [{"name": name, "inconclusive": 4}]}}

    runs = [found("Running", "window"), found("Running", "bad-share"), found("Successful", "window"), {}]
    assert holds.looked_at(runs) == 4


def test_what_is_put_is_stagings_release_with_those_steps(team: Team) -> None:
    team.releases("staging", "v0.1.0", "v0.2.0")
    site, sent = place(team), []
    site.values = lambda name, over: json.dumps(over)
    site.office.commit = lambda message, files: sent.append(files)
    site.office.clone, site.office.logs = lambda commit: team.history.root, "logs"
    site.deployed = lambda environment: Ran("deploy", 0, "", 0.1)
    assert holds.put(site, "v0.1.0", holds.WAITS) == team.history.root
    [files] = sent
    assert "version: v0.1.0\n" in files[path_of(holds.TRIAL)]
    assert json.loads(files[f"{holds.PLACE}/values.yaml"]) == {"rollouts": {"steps": holds.WAITS}}
    site.deployed = lambda environment: Ran("deploy", 5, "", 0.1)
    with pytest.raises(NotReady, match=r"v0\.2\.0 was not handed over"):
        holds.put(site, "v0.2.0", holds.WAITS)


def test_a_persons_command_has_the_clusters_own_way_in(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / ".venv/bin/sluice"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$KUBECONFIG $PWD $1"; echo wrong >&2; exit 5\n')
    program.chmod(0o755)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    site: Any = SimpleNamespace(office=SimpleNamespace(people={"KUBECONFIG": "none"}))
    assert holds.said(tmp_path, site, "approve") == (5, f"{paths.KUBECONFIG} {tmp_path} approve\nwrong\n")
