import os
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lab import paths, process, runner
from lab.runner import Ran, Runner, programs

ACT = """#!/bin/sh
echo "$GITHUB_TOKEN $*"
printf '\\033[31mFAILED\\033[0m tests/model\\n'
exit 3
"""


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "BIN", tmp_path)
    (tmp_path / "act").write_text(ACT)
    (tmp_path / "act").chmod(0o755)
    (tmp_path / "clone/.git").mkdir(parents=True)
    return tmp_path / "clone"


def test_a_red_run_is_told_with_its_code_and_what_it_said(clone: Path) -> None:
    ran = Runner("http://forge", "secret", "ada").run(clone, "ci", "push", {"after": "abc"}, "--job", "check")
    assert (ran.green, ran.code) == (False, 3)
    assert ran.says("FAILED tests/model")
    assert ran.says("--job check")
    assert (clone / ".git/event.json").read_text() == '{"after": "abc"}'


def test_the_token_is_no_word_of_the_command_line(clone: Path) -> None:
    ran = Runner("http://forge", "secret", "ada", {"A": "b"}, {"REGISTRY": "r"}).run(clone, "ci", "push", {})
    first = ran.log.splitlines()[0]
    assert first.split()[0] == "secret"
    assert "secret" not in first.split()[1:]
    assert "--env A=b" in first
    assert "--var REGISTRY=r" in first


def test_an_action_that_is_not_on_this_machine_has_a_stand_in_that_is_red(clone: Path) -> None:
    folder = clone / ".github/actions/registry"
    folder.mkdir(parents=True)
    sha = "a" * 40
    uses = [f"actions/checkout@{sha}", f"aws-actions/amazon-ecr-login@{sha} # v2.1.7", "./.github/actions/registry"]
    (folder / "action.yml").write_text("".join(f"- uses: {one}\n" for one in uses))
    ran = Runner("http://forge", "secret", "ada").run(clone, "ci", "push", {})
    assert ran.log.count("--local-repository") == 1
    assert f"--local-repository aws-actions/amazon-ecr-login@{sha}={clone}/.git/absent" in ran.log
    [step] = YAML(typ="safe").load((clone / ".git/absent/action.yml").read_text())["runs"]["steps"]
    assert subprocess.run(["bash", "-c", step["run"]], capture_output=True).returncode == 1


def test_what_an_interrupted_run_started_in_a_session_of_its_own_is_ended(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone.parent / "act").write_text(f"#!/bin/sh\nsetsid sleep 61 &\necho $! > {clone}/pid\nsleep 62\n")
    monkeypatch.setattr(runner, "SECONDS", 2)
    with pytest.raises(subprocess.TimeoutExpired):
        Runner("http://forge", "secret", "ada").run(clone, "ci", "push", {})
    assert process.started_ticks(int((clone / "pid").read_text())) is None


def test_each_job_that_ended_is_told_with_how(clone: Path) -> None:
    ended = (
        "[ci/check  ] 🏁  Job succeeded\n[ci/prove-2] 🏁  Job failed\n[ci/check]   | Job failed is what it printed\n"
    )
    assert Ran("ci", 1, ended, 1.0).jobs == {"check": True, "prove-2": False}


def test_sudo_is_there_for_a_root_that_has_none(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    env = {"PATH": programs(clone), "A": "b"}
    done = subprocess.run(["sudo", "--preserve-env", "sh", "-c", "echo $A"], capture_output=True, text=True, env=env)
    assert done.stdout == "b\n"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert programs(clone) == os.environ["PATH"]
