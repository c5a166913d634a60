"""`sluice rollback` as a whole: what it refuses it refuses before git, registry or cluster have changed."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from model import pin
from release import environment
from release.audit import Entry, read
from release.flow import app
from release.history import identity
from release.lock import ref_of
from release.verdict import settle
from release.write import document, path_of
from rollouts.gates import PATH as GATES
from tests.charts.conftest import CACHE, Chart
from tests.release.conftest import DIGEST, Scripted
from tests.release.team import Team

MODEL = Path(__file__).parents[2] / "model/model.yaml"
PINNED = pin.load(MODEL)
HURRIED = "--disable-openapi-validation"
PROMPTS = "polite: {system: Answer kindly.}\n"


@pytest.fixture
def clone(team: Team, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout that the command runs in; its environment names a cluster."""
    root = team.history.root
    monkeypatch.setattr("release.environment.ENVIRONMENTS", root / "environments")
    monkeypatch.setattr("release.lock.ROOT", root)
    monkeypatch.setattr("release.deploy.ROOT", root)
    values = {"delivery": {"writes": "pullRequest", "cluster": "https://cluster.invalid"}}
    team.push("feat: a cluster", {"environments/prod/values.yaml": json.dumps(values)})
    return root


@pytest.fixture
def history(team: Team, clone: Path, registry: Scripted) -> Callable[..., None]:
    """v1.0.0 was promoted in prod, v1.1.0 came after it with other prompts."""

    def make(promoted: bool = True, **changes: Any) -> None:
        release = {
            "version": "v1.0.0",
            "images": {name: f"{registry.address}/sluice/{name}@{DIGEST}" for name in ("gateway", "engine")},
            "model": {"id": PINNED.id, "revision": PINNED.revision, "sha256": PINNED.sha256},
            "prompts": {"sha256": hashlib.sha256(PROMPTS.encode()).hexdigest(), "content": PROMPTS},
            "gates": hashlib.sha256(GATES.read_bytes()).hexdigest(),
        } | changes
        files = {path_of("prod"): document(release), "model/model.yaml": MODEL.read_text()}
        team.push("chore(prod): release v1.0.0", files)
        team.history.git("tag", "--annotate", "--message=x", "v1.0.0", team.history.main, env=identity())
        team.history.git("push", "--quiet", "origin", "v1.0.0")
        if promoted:
            settle(team.history, None, Entry("prod", "v1.0.0", "verdict", verdict="promoted"))
        other = document({key: value for key, value in release.items() if key != "prompts"} | {"version": "v1.1.0"})
        team.push("chore(prod): release v1.1.0", {path_of("prod"): other})
        team.history.git("checkout", "--quiet", "--detach", team.history.main)

    return make


@pytest.fixture
def rollback(clone: Path, helm: Any, api: Scripted) -> Callable[[], Result]:
    words = ["rollback", "v1.0.0", "--env", "prod", "--namespace", "demo", "--repository", str(clone)]
    return lambda: CliRunner().invoke(app, words)


def sent(helm: Any) -> str:
    return str((helm.at / "values").read_text())


def test_what_was_good_here_comes_back_without_steps_and_whole(
    rollback: Callable[[], Result], history: Callable[..., None], helm: Any, team: Team
) -> None:
    history()
    done = rollback()
    assert done.exit_code == 0, done.output
    assert "without steps" in done.stdout
    assert '"fast": true' in sent(helm)
    assert HURRIED in helm.asked("upgrade")[0]
    assert "Answer kindly." in sent(helm)
    assert team.version_in("prod") == "v1.0.0"
    assert read(team.history, "prod")[-1].what == "rollback"


@pytest.mark.parametrize("promoted", [True, False])
def test_a_blue_green_is_switched_back_where_the_version_was_good_and_judged_again_where_it_was_not(
    rollback: Callable[[], Result], history: Callable[..., None], helm: Any, team: Team, tmp_path: Path, promoted: bool
) -> None:
    values = {"strategy": "blueGreen", "delivery": {"cluster": "https://cluster.invalid"}}
    team.push("feat: blue and green", {"environments/prod/values.yaml": json.dumps(values)})
    history(promoted=promoted)
    assert rollback().exit_code == 0
    given = json.loads(sent(helm))
    usual = given | {"rollouts": (given.get("rollouts") or {}) | {"fast": False}}
    chart = Chart(str(CACHE / "bin/helm"), tmp_path)
    now, before = (chart.render(**one) for one in (given, usual))
    engines = [one.one("Rollout", "llm-engine")["spec"] for one in (now, before)]
    switch = engines[0]["strategy"]["blueGreen"]
    assert (switch["autoPromotionEnabled"], "prePromotionAnalysis" in switch) == (True, not promoted)
    assert engines[0]["template"] == engines[1]["template"]  # so Argo finds the pods that still run
    assert engines[0]["strategy"]["blueGreen"]["scaleDownDelaySeconds"] > 0


def test_what_was_never_promoted_here_goes_through_the_whole_canary(
    rollback: Callable[[], Result], history: Callable[..., None], helm: Any, team: Team
) -> None:
    history(promoted=False)
    assert rollback().exit_code == 0
    assert '"fast"' not in sent(helm)
    assert HURRIED not in helm.asked("upgrade")[0]
    assert team.version_in("prod") == "v1.0.0"


def sign_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cosign").write_text("#!/bin/sh\necho 'Error: no signatures found' >&2\nexit 10\n")
    (folder / "cosign").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("case", "code", "said"),
    [
        ("unsigned", 14, "no signatures found"),
        ("incompatible", 5, "schema"),
        ("other hash", 17, r"release.model.sha256 is 000000000000…"),
        ("image gone", 5, "not in the registry"),
        ("cluster away", 6, "check KUBECONFIG"),
        ("no way in", 5, "or push the tag deploy/prod/v1.0.0"),
    ],
)
def test_a_refusal_comes_before_git_and_traffic(
    rollback: Callable[[], Result],
    history: Callable[..., None],
    team: Team,
    helm: Any,
    api: Scripted,
    registry: Scripted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    code: int,
    said: str,
) -> None:
    wrong = {"model": {"id": PINNED.id, "revision": PINNED.revision, "sha256": "0" * 64}}
    history(**(wrong if case == "other hash" else {}))
    if case == "unsigned":
        sign_nothing(tmp_path, monkeypatch)
        values = {"delivery": {"cluster": "https://c.invalid", "signedBy": {"key": "our.pub"}}}
        team.push("feat: trust", {"environments/prod/values.yaml": json.dumps(values)})
    if case == "incompatible":
        helm.prints("template", "Error: values don't meet the specifications of the schema(s)")
    if case == "image gone":
        registry.answers.clear()
    if case == "cluster away":
        api.close()
    if case == "no way in":
        for name in ("KUBECONFIG", "ACTIONS_ID_TOKEN_REQUEST_URL"):
            monkeypatch.delenv(name, raising=False)
    before = team.history.git("ls-remote", "origin")
    done = rollback()
    assert (done.exit_code, done.stderr.count("\n")) == (code, 1)
    assert said in done.stderr
    assert team.history.git("ls-remote", "origin") == before
    assert {method for method, _, _ in api.asked} <= {"GET"}
    assert helm.asked("upgrade") == []


def test_a_release_in_progress_is_superseded(
    rollback: Callable[[], Result],
    history: Callable[..., None],
    helm: Any,
    api: Scripted,
    rollout: Callable[..., dict[str, Any]],
    rollout_path: str,
) -> None:
    history()
    gone = rollout(abort=True, updatedReplicas=0, canary={})
    api.on("GET", rollout_path, *[rollout()] * 4, gone)
    api.on("PATCH", rollout_path, {})
    api.on("PATCH", f"{rollout_path}/status", {})
    helm.deployed("engine:old")
    done = rollback()
    assert done.exit_code == 0, done.output
    assert "aborting v1.1.0 first" in done.stdout
    assert len(helm.asked("upgrade")) == 1


def test_a_rollback_that_git_refuses_deploys_nothing_and_holds_no_lock(
    rollback: Callable[[], Result], history: Callable[..., None], helm: Any, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLUICE_FORGE", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    history()
    team.close()
    done = rollback()
    assert done.exit_code == 11, done.output
    assert helm.asked("upgrade") == []
    assert ref_of("demo") not in team.history.git("ls-remote", "origin")
    assert [one.what for one in read(team.history, "prod")] == ["verdict"]


def test_a_rollback_that_git_gets_by_a_pull_request_is_handed_over_at_once(
    rollback: Callable[[], Result],
    history: Callable[..., None],
    helm: Any,
    team: Team,
    server: Callable[[], Scripted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forge, ends = server(), {"head": {"ref": "rollback/prod/v1.0.0", "sha": "abc"}, "base": {"ref": "main"}}
    forge.on("GET", "/api/v1/repos/ada/llm/pulls", [])
    forge.on(
        "POST",
        "/api/v1/repos/ada/llm/pulls",
        {"number": 1, "html_url": "http://forge/1", "title": "t", "state": "open"} | ends,
    )
    monkeypatch.setenv("SLUICE_FORGE", f"{forge.url}/api/v1/repos/ada/llm")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    history()
    team.close()
    done = rollback()
    assert done.exit_code == 0, done.output
    assert "merge http://forge/1" in done.stdout
    assert '"fast": true' in sent(helm)
    assert len(helm.asked("upgrade")) == 1
    assert team.version_in("prod") == "v1.1.0"
    last = read(team.history, "prod")[-1]
    assert (last.what, last.link) == ("rollback", "http://forge/1")


def test_an_environment_without_a_cluster_is_written_and_nothing_is_deployed(
    rollback: Callable[[], Result], history: Callable[..., None], team: Team, helm: Any
) -> None:
    history()
    team.push("feat: none", {"environments/prod/values.yaml": "delivery: {cluster: ''}\n"})
    team.history.git("checkout", "--quiet", "--detach", team.history.main)
    assert environment.named(environment.folder_of("prod")) is False
    assert rollback().exit_code == 0
    assert team.version_in("prod") == "v1.0.0"
    assert helm.commands() == []
