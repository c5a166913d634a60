import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from release import audit
from release.cli import app as cli
from release.flow import app
from release.history import History
from tests.release.team import DIGEST, Team, release_text


def sluice(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def repository(team: Team) -> Path:
    return team.history.root


def test_version_prints_and_tags(team: Team, repository: Path) -> None:
    made = team.push("feat: a door")
    assert sluice("version", made, "--repository", repository).stdout == "v0.1.0\n"
    told = sluice("version", made, "--tag", "--json", "--repository", repository)
    assert json.loads(told.stdout)["new"] is True
    clone = team.clone("other")
    clone.git("checkout", "--quiet", "--detach", made)
    assert "a door" in sluice("changelog", "--repository", clone.root).stdout


@pytest.fixture
def told_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """What the jobs after it were told, once."""
    file = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))

    def told() -> dict[str, str]:
        found = dict(line.split("=", 1) for line in file.read_text().splitlines()) if file.exists() else {}
        file.unlink(missing_ok=True)
        return found

    return told


RELEASED = {"version": "v0.1.0", "own": "true"}


def test_with_the_forge_away_after_the_tag_the_same_command_goes_on(
    team: Team,
    repository: Path,
    server: Any,
    told_jobs: Callable[[], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forge, root = server(), "/api/v1/repos/me/llm"
    forge.on("POST", f"{root}/releases", {"id": 1}, code=201)
    words = ("version", team.push("feat: a door"), "--tag", "--repository", repository)
    monkeypatch.setenv("SLUICE_FORGE", f"http://127.0.0.1:9{root}")
    stopped = sluice(*words)
    assert (stopped.exit_code, stopped.stderr.count("\n"), told_jobs()) == (10, 1, {})
    assert "refs/tags/v0.1.0" in team.history.git("ls-remote", "origin")
    monkeypatch.setenv("SLUICE_FORGE", f"{forge.url}{root}")
    assert (sluice(*words).exit_code, told_jobs()) == (0, RELEASED | {"unreleased": "true"})
    [page] = forge.heard("POST")
    assert page["body"]["tag_name"] == "v0.1.0"
    assert "a door" in page["body"]["body"]


def test_a_version_without_images_is_unreleased_until_an_environment_is_given_it(
    team: Team, repository: Path, told_jobs: Callable[[], dict[str, str]]
) -> None:
    """The registry was away, and all jobs are run again: with a tag alone nothing is released."""
    words = ("version", team.push("feat: a door"), "--tag", "--repository", repository)
    for _ in range(2):
        assert (sluice(*words).exit_code, told_jobs()) == (0, RELEASED | {"unreleased": "true"})
    audit.write(team.history, audit.Entry("staging", "v0.1.0", "recorded"))
    assert (sluice(*words).exit_code, told_jobs()) == (0, RELEASED | {"unreleased": "false"})
    later = team.push("docs: a word")
    assert sluice("version", later, "--tag", "--repository", repository).stdout == "v0.1.0\n"
    assert told_jobs() == {}  # it is not this commit's


@pytest.mark.parametrize(
    ("title", "code"), [("", 0), ("feat(app): a door", 0), ("Add a door", 15), ("feat(app):a door", 15)]
)
def test_a_pull_requests_title_is_judged_like_a_commit(
    team: Team, repository: Path, monkeypatch: pytest.MonkeyPatch, title: str, code: int
) -> None:
    made = team.push("feat: a door")
    monkeypatch.setenv("PULL_TITLE", title)
    done = sluice("version", made, "--repository", repository)
    assert done.exit_code == code
    assert ("the pull request's title" in done.stderr) == bool(code)


def test_each_refusal_has_its_own_code_and_one_line(team: Team, repository: Path) -> None:
    before = team.history.git("ls-remote", "origin")
    bad = History(repository).commit(team.history.sha(team.history.main), {"a": "b"}, "Update stuff")
    asked = {
        12: sluice("rollback", "v9.9.9", "--repository", repository),
        13: sluice("promote", "staging", "prod", "--repository", repository),
        15: sluice("version", bad, "--repository", repository),
    }
    for code, result in asked.items():
        assert (result.exit_code, result.stderr.count("\n")) == (code, 1)
    assert sluice("verdict", "staging", "v1.0.0", "maybe", "--repository", repository).exit_code == 5
    assert team.history.git("ls-remote", "origin") == before


def test_a_recorded_release_that_is_stopped_goes_back(team: Team, repository: Path) -> None:
    model = Path(__file__).parents[2] / "model/model.yaml"
    (repository / "model").mkdir()
    (repository / "model/model.yaml").write_text(model.read_text())
    team.releases("staging", "v1.0.0")
    words = ["--version", "v1.1.0", "--gateway", f"h/g@{DIGEST}", "--engine", f"h/e@{DIGEST}"]
    assert sluice("record", "staging", *words, "--repository", repository).exit_code == 0
    assert team.version_in("staging") == "v1.1.0"
    stopped = sluice("verdict", "staging", "v1.1.0", "aborted", "--reason", "slow", "--repository", repository)
    assert stopped.exit_code == 0
    assert team.version_in("staging") == "v1.0.0"
    lines = sluice("audit", "staging", "--json", "--repository", repository).stdout.splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["recorded", "verdict", "reverted"]


def test_a_tag_promotion_name_is_not_mistaken_for_a_version(team: Team, repository: Path) -> None:
    assert sluice("rollback", "deploy/prod/latest", "--repository", repository).exit_code == 12


@pytest.mark.parametrize(
    ("engine", "kept"),
    [
        ({"phase": "Healthy", "stableRS": "new"}, ["verdict"]),  # the release left it as it is
        ({}, []),  # a canary: the verdict is the engine's
        ({"phase": "Healthy", "stableRS": "new", "observed": False}, []),  # the controller has yet to look at it
        ({"phase": "Healthy", "stableRS": "new", "version": "v1.2.0"}, []),  # somebody released after it
    ],
)
def test_a_gateways_promotion_is_the_releases_where_the_engine_stays_as_it_is(
    team: Team, api: Any, rollout: Callable[..., dict[str, Any]], rollout_path: str, engine: dict[str, Any], kept: Any
) -> None:
    team.push("feat: an environment", {"environments/demo/values.yaml": "delivery: {cluster: 'https://c.invalid'}\n"})
    team.releases("demo", "v1.1.0")
    api.on("GET", rollout_path, rollout(**engine))
    team.history.git("checkout", "--quiet", "--detach", team.history.main)
    words = ("verdict", "demo", "v1.1.0", "promoted", "--repository", team.history.root)
    told = sluice(*words, "--part", "gateway")
    assert told.exit_code == 0, told.output
    assert [one.what for one in audit.read(team.history, "demo")] == kept
    assert ("nothing to keep" in told.stdout) == (kept == [])
    sluice(*words)  # the engine's own is kept whatever the cluster says meanwhile, and once
    assert [one.what for one in audit.read(team.history, "demo")] == ["verdict"]


def test_a_gateways_promotion_without_a_cluster_to_ask_is_refused(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.releases("staging", "v1.1.0")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    repository = team.history.root
    told = sluice("verdict", "staging", "v1.1.0", "promoted", "--part", "gateway", "--repository", repository)
    assert (told.exit_code, told.stderr.count("\n")) == (6, 1)
    assert audit.read(team.history) == []


def test_an_environment_without_a_cluster_deploys_and_compares_nothing(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("delivery: {cluster: ''}\n")
    (tmp_path / "release.yaml").write_text(release_text("v1.0.0"))
    assert "nothing to compare" in sluice("drift", tmp_path, "--if-named").stdout
    told = CliRunner().invoke(cli, ["deploy", str(tmp_path), "--if-named"])
    assert (told.exit_code, "nothing to deploy" in told.stdout) == (0, True)


def test_a_first_release_that_another_job_has_just_written_is_not_overlooked(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("release.lock.ROOT", team.history.root)
    team.history.git("checkout", "--quiet", "--detach", team.history.main)
    team.push("feat: name the cluster", {"environments/staging/values.yaml": "delivery: {cluster: 'https://c'}\n"})
    team.releases("staging", "v0.1.0")
    folder = team.history.root / "environments/staging"
    told = CliRunner().invoke(cli, ["deploy", str(folder), "--locked", "--if-named"])
    assert "nothing to deploy" not in told.stdout
    assert (told.exit_code, "workflow identity" in told.stderr) == (5, True)
