"""The office on a real forge, with a stand-in for the program that executes workflows."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import paths
from lab.errors import NotReady
from lab.gitea import Forge
from lab.modules import GO
from lab.office import Office
from model.running import free_port
from release.errors import Refused
from release.history import History

pytestmark = pytest.mark.skipif(
    not (paths.BIN / "gitea").exists() or not GO.exists(), reason="make gitops builds Gitea"
)


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    with Forge(folder / "forge", free_port()) as forge:
        yield Office(forge, folder / "office", "served")
    shutil.rmtree(folder)


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "act").write_text('#!/bin/sh\ncat .git/event.json\necho "$*"\n')
    (tmp_path / "act").chmod(0o755)
    monkeypatch.setattr(paths, "BIN", tmp_path)


def test_the_repository_is_this_checkout_without_its_past_and_its_tags(office: Office) -> None:
    assert office.text("Makefile") == (paths.ROOT / "Makefile").read_text()
    assert office.desk.git("rev-list", "--count", "origin/main").strip() == "1"
    assert office.desk.git("tag") == ""


def test_a_commit_is_seen_by_everybody_and_a_clone_is_at_it(office: Office) -> None:
    made = office.commit("docs: a note", {"notes.txt": "one"}, "docs/note")
    assert (office.clone(made) / "notes.txt").read_text() == "one"
    assert office.text("notes.txt") == ""


def test_a_merge_asks_for_what_protection_asks_and_lands_on_main(office: Office) -> None:
    office.protected("ci")
    made = office.commit("feat: a door", {"door.txt": "open"}, "feat/door")
    pull = office.pulls.open("feat/door", "main", "feat: a door", "")
    assert office.merged(pull.number) != ""
    assert office.landed("feat: a door", "feat/door", made) == office.desk.sha(office.desk.main)
    assert office.text("door.txt") == "open"
    tip = office.merge("fix: a window", {"window.txt": "shut"})
    assert office.desk.git("show", "--no-patch", "--format=%s", tip).startswith("fix: a window")
    with pytest.raises(Refused):
        office.landed("feat: nothing", "no/such", made)


@pytest.mark.usefixtures("act")
def test_a_workflow_is_given_the_event_and_its_log_is_kept(office: Office) -> None:
    tip = office.desk.sha(office.desk.main)
    ran = office.pushed("release", tip, "--job", "version", REGISTRY="r/x")
    assert ran.says('"ref": "refs/heads/main"')
    assert ran.says('"full_name": "ada/served"')
    assert ran.says("--var REGISTRY=r/x")
    assert office.asked("verdict", {"version": "v1"}).says('"inputs": {"version": "v1"}')
    assert office.proposed("ci", "feat/x", tip, "--job", "check").says('"ref": "feat/x"')
    logs = sorted(office.logs.glob("*.log"))
    assert ran.log in [one.read_text() for one in logs]


STARTS = """#!/bin/sh
cat .git/event.json
case "$1" in push) SLUICE_FORGE={api} {sluice} tagged {tag} >&2 ;; esac
"""


@pytest.mark.parametrize("tag", ["deploy/dev/v0.1.0", "deploy/dev/latest"])
@pytest.mark.usefixtures("act")
def test_a_rollbacks_tag_is_executed_as_the_run_on_main_that_the_forge_was_asked_for(office: Office, tag: str) -> None:
    """The forge takes the workflow as it stands, with its inputs."""
    stand_in = STARTS.format(api=office.api, sluice=paths.ROOT / ".venv/bin/sluice", tag=tag)
    (paths.BIN / "act").write_text(stand_in)
    if tag.endswith("latest"):  # a name that is none: its run is red
        with pytest.raises(NotReady, match="did not start a rollback on main"):
            office.tagged("dev", "latest")
        return
    ran = office.tagged("dev", "v0.1.0")
    event = json.loads(ran.log)
    assert (event["ref"], event["inputs"]["environment"], event["inputs"]["version"]) == (
        "refs/heads/main",
        "dev",
        "v0.1.0",
    )
    assert set(event["inputs"]) == {"environment", "version", "why"}
    (paths.BIN / "act").write_text("#!/bin/sh\ntrue\n")  # green, and has asked for nothing
    with pytest.raises(NotReady, match="did not start a rollback on main"):
        office.tagged("dev", "v0.1.0")


def test_a_person_has_the_forges_token_and_no_cluster(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/mine")
    monkeypatch.setenv("GITHUB_REPOSITORY", "else/where")
    assert "KUBECONFIG" not in office.people
    assert "GITHUB_REPOSITORY" not in office.people
    assert office.people["SLUICE_FORGE"] == office.api
    code, said = office.sluice("promote", "staging", "prod")
    assert (code, "release to staging first" in said) == (13, True)


def test_make_runs_in_a_fresh_clone_and_says_how_it_ended(office: Office) -> None:
    shown = office.make("help")
    assert shown.green
    assert shown.says("gitops")
    assert not office.make("no-such-target").green


def test_environments_are_read_from_the_released_branch(office: Office) -> None:
    assert office.version("staging") == ""
    subprocess.run(["git", "-C", str(office.desk.root), "fsck", "--no-progress"], check=True)


def test_tags_are_the_forges_not_the_desks(office: Office) -> None:
    clone, before = office.clone("origin/main"), office.tags()
    subprocess.run(["git", "-C", str(clone), "push", "--quiet", "origin", "HEAD:refs/tags/v9.0.0"], check=True)
    assert set(office.tags()) == {"v9.0.0", *before}
    assert "v9.0.0" not in office.desk.git("tag").split()
    subprocess.run(["git", "-C", str(clone), "push", "--quiet", "origin", ":refs/tags/v9.0.0"], check=True)
    assert office.tags() == before


def test_a_fork_is_somebody_elses_with_the_same_past(office: Office) -> None:
    acme = office.fork("acme")
    office.desk.fetch()
    assert History(acme.clone("origin/main")).sha("HEAD") == office.desk.sha(office.desk.main)
    assert acme.about["repository"]["full_name"] == "bea/acme"
    assert office.about["repository"]["full_name"] == "ada/served"
