import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from release import report as reports
from release.approval import app
from release.audit import read
from tests.release.conftest import Scripted
from tests.release.team import Team

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def gateway(server: Callable[[], Scripted], api: Scripted) -> Scripted:
    made = server()
    for path in ("/v1/chat/completions", "/v1/completions"):
        made.on("POST", path, {"choices": [{"text": "an answer"}]})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "llm-probe"}, "data": {"key": "a2V5"}}
    api.on("GET", "/api/v1/namespaces/demo/secrets/llm-probe", secret)
    return made


@pytest.fixture
def approve(folder: Path, team: Team, gateway: Scripted) -> Callable[..., Result]:
    words = ["--gateway", gateway.url, "--repository", str(team.history.root)]
    return lambda *more, **typed: CliRunner().invoke(app, ["approve", str(folder), *more, *words], **typed)


def at_approval(rollout: Make, **changes: Any) -> dict[str, Any]:
    found = rollout(pauseConditions=[{"reason": "CanaryPauseStep"}], **changes)
    found["spec"]["strategy"]["canary"]["steps"][4] = {"pause": {}}
    return found


def test_a_person_who_has_seen_both_arms_lets_it_go_on(
    approve: Callable[..., Result], api: Scripted, rollout: Make, rollout_path: str, team: Team
) -> None:
    api.on("GET", rollout_path, at_approval(rollout))
    api.on("PATCH", f"{rollout_path}/status", rollout())
    done = approve("v1.1.0", input="y\n")
    assert done.exit_code == 0
    assert "0 of 20 answers differ." in done.stdout
    assert [one["body"] for one in api.heard("PATCH")] == [{"status": {"pauseConditions": None}}]
    [entry] = read(team.history, "demo")
    assert (entry.what, entry.version, entry.who) == ("approval", "v1.1.0", "ada")
    assert len(entry.evidence) == 24


def test_a_person_who_says_no_changes_nothing(
    approve: Callable[..., Result], api: Scripted, rollout: Make, rollout_path: str, team: Team
) -> None:
    api.on("GET", rollout_path, at_approval(rollout))
    assert approve("v1.1.0", input="n\n").exit_code != 0
    assert (api.heard("PATCH"), read(team.history, "demo")) == ([], [])


@pytest.mark.parametrize("case", ["other version", "gate", "timed", "stopped meanwhile"])
def test_what_waits_for_nobody_is_refused(
    approve: Callable[..., Result], api: Scripted, rollout: Make, rollout_path: str, team: Team, case: str
) -> None:
    waits = at_approval(rollout)
    if case == "gate":
        waits["status"]["pauseConditions"] = [{"reason": "InconclusiveAnalysisRun"}]
    if case == "timed":
        waits["spec"]["strategy"]["canary"]["steps"][4] = {"pause": {"duration": "60s"}}
    api.on("GET", rollout_path, waits)
    if case == "stopped meanwhile":
        api.on("GET", rollout_path, rollout(abort=True))
    done = approve("v1.0.0" if case == "other version" else "v1.1.0", "--yes")
    assert (done.exit_code, done.stderr.count("\n")) == (5, 1)
    assert (api.heard("PATCH"), read(team.history, "demo")) == ([], [])


def test_samples_are_a_table_or_json(folder: Path, gateway: Scripted) -> None:
    shown = CliRunner().invoke(app, ["samples", str(folder), "--gateway", gateway.url])
    assert shown.stdout.count("\n| ") == 21
    assert (
        '"canary": "an answer"'
        in CliRunner().invoke(app, ["samples", str(folder), "--gateway", gateway.url, "--json"]).stdout
    )


def test_the_page_of_a_run_shows_what_was_sampled(folder: Path, gateway: Scripted, tmp_path: Path) -> None:
    requests = {"total": 9, "failed": 0, "failed_stable": 0, "cut_streams": 0}
    run = {"commit": "c0ffee", "started": "2026-01-01T00:00:00Z", "took_seconds": 1, "engine": "vllm 0"}
    file = tmp_path / "report.json"
    file.write_text(json.dumps(run | {"releases": [], "requests": requests, "slack": []}))
    words = ["samples", str(folder), "--gateway", gateway.url, "--report"]
    done = CliRunner().invoke(app, [*words, str(file)])
    assert done.exit_code == 0, done.output
    assert len(reports.load(file).samples) == 20
    assert "0 of 20 differ" in file.with_suffix(".html").read_text()

    asked = len(gateway.asked)
    refused = CliRunner().invoke(app, [*words, str(tmp_path / "none.json")])
    assert (refused.exit_code, refused.stderr.count("\n")) == (5, 1)
    assert len(gateway.asked) == asked  # nobody's engine is asked for nothing
