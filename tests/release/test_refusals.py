"""Bad input, as the program meets it: one line, an exit code of its own, and nothing changed anywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from release.audit import Entry, write
from release.cli import app as cli
from release.errors import Drifted, NotVerified, Refused, Unconventional, UnknownVersion, WrongHash
from release.flow import app as flow
from release.history import identity
from release.write import digest, path_of
from tests.release.conftest import Scripted
from tests.release.team import Team, release_text


@pytest.fixture
def sluice(team: Team) -> Callable[..., Result]:
    """The commands, in a clone of the team's repository."""
    return lambda *words: CliRunner().invoke(flow, [*words, "--repository", str(team.history.root)])


def refused(done: Result, code: int, *named: str) -> None:
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith("sluice: ")
    for word in named:
        assert word in done.stderr


@pytest.mark.parametrize("asked", ["v9.9.9", "deploy/prod/v9.9.9", "deploy/prod/latest", "deploy/nowhere/v9.9.9"])
def test_a_tag_that_does_not_exist(sluice: Callable[..., Result], team: Team, asked: str) -> None:
    team.releases("prod", "v1.0.0")
    before = team.history.git("ls-remote", "origin")
    refused(sluice("rollback", asked, "--env", "prod"), UnknownVersion.code, asked.rsplit("/", 1)[-1])
    assert team.history.git("ls-remote", "origin") == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gates", "sha256:" + "0" * 64),
        ("flags", {"sha256": "0" * 64, "content": '{"flags": {}}'}),
        ("prompts", {"sha256": "0" * 64, "content": "a: b\n"}),
    ],
)
def test_a_release_with_a_wrong_hash(folder: Path, api: Scripted, helm: Any, gates: Path, key: str, value: Any) -> None:
    images = {name: f"127.0.0.1:9/{name}@sha256:{'a' * 64}" for name in ("gateway", "engine")}
    (folder / "release.yaml").write_text(release_text("v1.1.0", images=images, **{key: value}))
    done = CliRunner().invoke(cli, ["deploy", str(folder), "--chart", str(folder), "--gates", str(gates)])
    refused(done, WrongHash.code, f"release.{key}", "000000000000…" if key != "gates" else "sha256:000000000000…")
    assert (api.asked, helm.asked("upgrade")) == ([], [])


@pytest.mark.parametrize("subject", ["Update stuff", "feature: a door", "feat a door", "feat(): x", "Merged in x"])
@pytest.mark.parametrize("tag", [True, False])
def test_a_merge_without_a_conventional_message(
    sluice: Callable[..., Result], team: Team, subject: str, tag: bool
) -> None:
    made = team.push(subject)
    before = team.history.git("ls-remote", "origin")
    refused(sluice("version", made, *(["--tag"] if tag else [])), Unconventional.code, made[:12], "type(scope): text")
    assert team.history.git("ls-remote", "origin") == before


@pytest.mark.parametrize("case", ["never judged", "aborted", "promoted elsewhere", "edited since"])
def test_a_promotion_of_what_was_not_verified_in_staging(sluice: Callable[..., Result], team: Team, case: str) -> None:
    team.releases("staging", "v1.0.0")
    line = {"release": digest(release_text("v1.0.0"))}
    if case == "aborted":
        write(team.history, Entry("staging", "v1.0.0", "verdict", verdict="promoted", **line))
        write(team.history, Entry("staging", "v1.0.0", "verdict", verdict="aborted", **line))
    if case == "promoted elsewhere":
        write(team.history, Entry("dev", "v1.0.0", "verdict", verdict="promoted", **line))
    if case == "edited since":
        write(team.history, Entry("staging", "v1.0.0", "verdict", verdict="promoted", **line))
        edited = release_text("v1.0.0", model={"id": "other", "revision": "r", "sha256": "e" * 64})
        team.push("chore: by hand", {path_of("staging"): edited})
    before = team.history.git("ls-remote", "origin")
    refused(sluice("promote", "staging", "prod"), NotVerified.code, "v1.0.0", "staging")
    assert team.history.git("ls-remote", "origin") == before


def test_a_version_that_was_tagged_and_never_released(sluice: Callable[..., Result], team: Team) -> None:
    team.history.git("tag", "--annotate", "--message=x", "v3.0.0", team.history.main, env=identity())
    team.history.git("push", "--quiet", "origin", "v3.0.0")
    before = team.history.git("ls-remote", "origin")
    refused(sluice("rollback", "v3.0.0", "--env", "prod"), UnknownVersion.code, "no environment ever had it")
    assert team.history.git("ls-remote", "origin") == before


def test_each_refusal_has_an_exit_code_of_its_own() -> None:
    codes = [one.code for one in (UnknownVersion, WrongHash, Unconventional, NotVerified)]
    assert len({*codes, Refused.code}) == 5


@pytest.mark.parametrize("fast", [False, True])
def test_a_cluster_that_was_edited_by_hand_is_named_field_by_field(
    folder: Path, api: Scripted, helm: Any, rollout: Callable[..., dict[str, Any]], rollout_path: str, fast: bool
) -> None:
    there = rollout()
    there["metadata"]["annotations"] |= {"sluice.dev/fast": "true"} if fast else {}
    there["spec"]["replicas"] = 5
    api.on("GET", rollout_path, there)
    wanted = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "llm-engine"}}
    helm.prints("template", json.dumps(wanted | {"spec": {"replicas": 2}}))
    done = CliRunner().invoke(flow, ["drift", str(folder), "--chart", str(folder)])
    assert done.exit_code == Drifted.code
    assert done.stdout == "Rollout/llm-engine spec.replicas: git 2, cluster 5\n"
    assert done.stderr == "sluice: demo: 1 fields are not as git says; deploy, or commit them\n"
    assert f'"fast": {str(fast).lower()}' in (helm.at / "values").read_text()
    there["spec"]["replicas"] = 2
    assert CliRunner().invoke(flow, ["drift", str(folder), "--chart", str(folder)]).exit_code == 0
    assert {method for method, _, _ in api.asked} == {"GET"}


@pytest.mark.parametrize("part", ["engine", "gateway"])
def test_a_release_that_was_stopped_and_that_git_still_names(
    folder: Path,
    api: Scripted,
    helm: Any,
    rollout: Callable[..., dict[str, Any]],
    gateway: Callable[..., dict[str, Any]],
    rollout_path: str,
    gateway_path: str,
    part: str,
) -> None:
    there, beside = rollout(abort=part == "engine", message="slow"), gateway(abort=part == "gateway", message="slow")
    api.on("GET", rollout_path, there)
    api.on("GET", gateway_path, beside)
    notes = {"metadata": {"annotations": {"sluice.dev/version": "v1.0.0"}}}
    api.on("GET", f"/apis/apps/v1/namespaces/demo/replicasets/llm-{part}-old", notes)
    wanted = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "llm-engine"}}
    helm.prints("template", json.dumps(wanted | {"spec": there["spec"]}))
    done = CliRunner().invoke(flow, ["drift", str(folder), "--chart", str(folder)])
    assert done.exit_code == Drifted.code
    assert done.stdout == f"Rollout/llm-{part}: git says v1.1.0, which was stopped (slow); v1.0.0 runs\n"
    assert "merge its revert, or `sluice verdict demo v1.1.0 aborted`" in done.stderr
    assert done.stderr.count("\n") == 1
    for one in (there, beside):
        one["status"]["abort"] = False
    assert CliRunner().invoke(flow, ["drift", str(folder), "--chart", str(folder)]).exit_code == 0
    assert {method for method, _, _ in api.asked} == {"GET"}
