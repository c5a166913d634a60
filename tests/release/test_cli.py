import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from release import environment
from release.cli import app

Make = Callable[..., dict[str, Any]]


def sluice(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def one_line(result: Result) -> str:
    """The error; what another test's server thread writes meanwhile can only stand before it."""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("sluice: ")
    assert result.stderr.count("sluice: ") == 1
    return line


@pytest.fixture
def deploy(folder: Path, gates: Path, helm: Any, api: Any) -> Callable[..., Result]:
    return lambda *more: sluice("deploy", folder, "--chart", folder, "--gates", gates, *more)


def running(healthy: Make, folder: Path, **changes: Any) -> dict[str, Any]:
    found = healthy(**changes)
    found["spec"]["template"]["spec"]["containers"][0]["image"] = environment.load(folder).release.images.engine
    return found


def test_a_promotion_ends_with_0(
    deploy: Callable[..., Result], api: Any, folder: Path, rollout: Make, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, healthy(version="v1.0.0"), healthy(version="v1.0.0"))
    api.on("GET", rollout_path, running(healthy, folder, phase="Progressing", stableRS="old"), running(healthy, folder))
    result = deploy()
    assert result.exit_code == 0
    assert "sluice: " not in result.stderr
    assert "handed over v1.1.0" in result.stdout
    assert "v1.1.0 promoted: all traffic is on it" in result.stdout


def test_an_abort_ends_with_3(
    deploy: Callable[..., Result], api: Any, folder: Path, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, healthy(), healthy(), running(healthy, folder, abort=True, stableRS="old"))
    result = deploy()
    assert result.exit_code == 3
    assert "sluice explain" in one_line(result)


def test_giving_up_ends_with_4_and_says_how_to_go_on(api: Any, folder: Path, rollout: Make, rollout_path: str) -> None:
    api.on("GET", rollout_path, rollout())
    result = sluice("watch", folder, "--timeout", "0")
    assert result.exit_code == 4
    assert "`sluice watch` picks it up again" in one_line(result)


def test_a_refusal_ends_with_5_and_the_cluster_is_untouched(
    deploy: Callable[..., Result], api: Any, helm: Any, gates: Path
) -> None:
    gates.write_text("surprise: 1\n")
    result = deploy()
    assert result.exit_code == 5
    assert "gates.yaml" in one_line(result)
    assert api.asked == []
    assert helm.asked("upgrade") == []


def test_a_kubeconfig_to_nowhere_ends_with_6(
    deploy: Callable[..., Result], helm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    result = deploy()
    assert result.exit_code == 6
    assert "KUBECONFIG" in one_line(result)
    assert helm.asked("upgrade") == []


def test_nothing_installed_ends_with_7(api: Any, folder: Path) -> None:
    result = sluice("status", folder)
    assert result.exit_code == 7
    assert "install it with `sluice deploy`" in one_line(result)


def test_an_upgrade_that_stops_midway_ends_with_8(deploy: Callable[..., Result], helm: Any) -> None:
    helm.prints("upgrade", "Error: UPGRADE FAILED: no")
    result = deploy()
    assert result.exit_code == 8
    assert "UPGRADE FAILED" in one_line(result)


def test_an_identical_release_says_so_and_ends_with_0(
    deploy: Callable[..., Result], api: Any, helm: Any, folder: Path, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, running(healthy, folder))
    helm.deployed("engine:new")
    result = deploy()
    assert result.exit_code == 0
    assert "v1.1.0 already runs in demo; nothing to do" in result.stdout


def test_a_hand_over_without_watching_returns_at_once(
    deploy: Callable[..., Result], api: Any, rollout_path: str
) -> None:
    result = deploy("--no-watch")
    assert result.exit_code == 0
    assert result.stdout.endswith("handed over v1.1.0\n")


def test_json_is_all_that_a_script_reads(
    deploy: Callable[..., Result], api: Any, helm: Any, folder: Path, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, healthy(), healthy(), running(healthy, folder))
    helm.deployed("engine:old")
    events = [json.loads(line) for line in deploy("--json").stdout.splitlines()]
    assert [event["event"] for event in events][-1] == "verdict"
    assert events[-1]["verdict"] == "promoted"


def test_an_error_in_json_carries_its_code(api: Any, folder: Path) -> None:
    result = sluice("status", folder, "--json")
    assert json.loads(result.stdout) | {"text": ""} == {"event": "error", "code": 7, "text": ""}


def test_what_nobody_foresaw_is_one_line_with_1(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Path:
        raise TypeError("two\nlines")

    monkeypatch.setattr(environment, "folder_of", broken)
    result = sluice("status", folder)
    assert result.exit_code == 1
    assert "unexpected TypeError: two lines; SLUICE_DEBUG=1" in one_line(result)


def test_an_abort_needs_no_readable_release(api: Any, folder: Path, rollout: Make, rollout_path: str) -> None:
    (folder / "release.yaml").write_text("broken: [")
    api.on("GET", rollout_path, rollout())
    api.on("PATCH", rollout_path, {})
    api.on("PATCH", f"{rollout_path}/status", {})
    result = sluice("abort", folder, "--reason", "looks wrong")
    assert result.exit_code == 0
    assert "v1.1.0 aborted at 5 %" in result.stdout


def test_explain_speaks_in_sentences(api: Any, folder: Path, rollout: Make, rollout_path: str, runs_path: str) -> None:
    api.on("GET", rollout_path, rollout(abort=True))
    api.on("GET", runs_path, {"metadata": {}, "items": []})
    result = sluice("explain", folder)
    assert result.stdout.startswith("v1.1.0-r2 was stopped; all traffic is on stable.")


def test_report_makes_a_page_beside_the_document(tmp_path: Path) -> None:
    requests = {"total": 1, "failed": 0, "failed_stable": 0, "cut_streams": 0}
    document = {"commit": "c", "started": "2026-01-01T00:00:00Z", "took_seconds": 1, "engine": "fake 1"}
    (tmp_path / "report.json").write_text(json.dumps(document | {"releases": [], "requests": requests, "slack": []}))
    assert sluice("report", tmp_path / "report.json").exit_code == 0
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_the_help_documents_every_exit_code() -> None:
    text = " ".join(sluice("--help").stdout.split())
    for words in ("0 promoted", "3 aborted", "4 timed out", "5 refused", "6 cluster unreachable", "8 upgrade failed"):
        assert words in text
