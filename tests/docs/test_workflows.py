"""Rules of every workflow that no linter knows."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
LOADED = {file.stem: YAML(typ="safe").load(file.read_text()) for file in FILES}
JOBS = [(name, key, job) for name, found in LOADED.items() for key, job in found["jobs"].items()]
STEPS = [(f"{name}.{key}", step) for name, key, job in JOBS for step in job["steps"]]
RUNS = sorted({step["run"] for _, step in STEPS if "run" in step})
PINNED = re.compile(r"- uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def test_the_workflows_that_are_documented_are_there() -> None:
    assert set(LOADED) == {"ci", "e2e", "release", "verdict", "promote", "rollback", "nightly"}


@pytest.mark.parametrize("name", LOADED)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(name: str) -> None:
    found = LOADED[name]
    assert found["permissions"] == {}
    assert "concurrency" in found
    assert all("permissions" in job and job["timeout-minutes"] <= 240 for job in found["jobs"].values())


@pytest.mark.parametrize("name", ["release", "promote", "verdict", "rollback"])
def test_a_deployment_is_never_cancelled(name: str) -> None:
    assert LOADED[name]["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("line", RUNS)
def test_a_step_is_one_line_without_expressions(line: str) -> None:
    assert "\n" not in line
    assert "${{" not in line


@pytest.mark.parametrize("line", [line for line in RUNS if "make" in line])
def test_make_knows_what_a_step_asks_for(line: str) -> None:
    """Dry: what each target does is proved elsewhere."""
    dry = line.replace("sudo --preserve-env ", "").replace("make", "make --dry-run", 1)
    env = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    done = subprocess.run(["sh", "-c", dry], cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr


def test_every_action_is_pinned_by_commit_with_its_version() -> None:
    uses = [
        line.strip() for file in FILES for line in file.read_text().splitlines() if line.strip().startswith("- uses:")
    ]
    assert uses
    assert [line for line in uses if not PINNED.fullmatch(line)] == []


def test_every_folder_that_has_tests_is_proved_in_ci() -> None:
    matrix: dict[str, Any] = LOADED["ci"]["jobs"]["prove"]["strategy"]["matrix"]
    named = re.search(r"(?m)^FOLDERS := (.*)$", (ROOT / "Makefile").read_text())
    assert named is not None
    assert matrix["folder"] == named[1].split()


def test_no_credentials_stay_in_a_checkout() -> None:
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_deploys_runs_only_where_something_is_named() -> None:
    assert LOADED["release"]["jobs"]["version"]["if"] == "vars.REGISTRY != ''"
    for name in ("dev", "staging", "prod"):
        values = YAML(typ="safe").load((ROOT / f"environments/{name}/values.yaml").read_text())
        assert values["delivery"]["cluster"] == ""
