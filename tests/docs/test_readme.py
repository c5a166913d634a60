"""What the READMEs name exists, and what exists is named."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lab.scenario import Action, Expected, Fault, Scenario
from release import errors

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.zh.md"]
BIN = Path(sys.executable).parent
SCHEMA = (ROOT / "tests/e2e/README.md").read_text()


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(name: str) -> list[str]:
    """Every command line that a reader would paste."""
    return [line.strip() for line in text(name).splitlines() if re.match(r"    (make|sluice|git) ", line)]


def codes(name: str) -> set[int]:
    return {int(found) for found in re.findall(r"^\| (\d+) \|", text(name), re.MULTILINE)}


@pytest.mark.parametrize("name", READMES)
def test_a_readme_is_short_and_its_first_command_stands_early(name: str) -> None:
    lines = text(name).splitlines()

    assert len(lines) <= 150
    assert next(number for number, line in enumerate(lines, 1) if line.startswith("    ")) < 20


def test_both_languages_have_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh.md")


@pytest.mark.parametrize("command", [one for one in commands("README.md") if one.startswith("make")])
def test_every_make_command_has_its_target(command: str) -> None:
    done = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [one for one in commands("README.md") if one.startswith("sluice")])
def test_every_sluice_command_knows_the_options_it_is_given(command: str) -> None:
    words = shlex.split(command)
    shown = subprocess.run([BIN / "sluice", words[1], "--help"], capture_output=True, text=True, env={"COLUMNS": "200"})

    assert shown.returncode == 0
    assert all(word in shown.stdout for word in words if word.startswith("--"))
    assert [word for word in words[2:3] if not (ROOT / word).is_dir()] == []


@pytest.mark.parametrize("name", READMES)
def test_the_folder_table_is_the_tree(name: str) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {path.split("/")[0] for path in tracked.splitlines() if "/" in path and not path.startswith(".")}

    assert set(re.findall(r"^\| `([a-z]+)/` \|", text(name), re.MULTILINE)) == folders


@pytest.mark.parametrize("name", READMES)
def test_every_alert_is_named_and_has_its_runbook(name: str) -> None:
    groups = YAML(typ="safe").load(text("monitoring/rules/alerts.yaml"))["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}

    assert {file.stem for file in (ROOT / "monitoring/runbooks").glob("*.md")} == alerts
    assert all(f"`{alert}`" in text(name) for alert in alerts)


@pytest.mark.parametrize("name", READMES)
def test_every_exit_code_is_in_the_table(name: str) -> None:
    known = {error.code for error in vars(errors).values() if isinstance(error, type)}

    assert codes(name) == known | {0, 2}


@pytest.mark.parametrize("name", [*READMES, "tests/e2e/README.md"])
def test_every_link_leads_somewhere(name: str) -> None:
    folder = (ROOT / name).parent

    assert [link for link in re.findall(r"\]\(([^)#]+)\)", text(name)) if not (folder / link).exists()] == []


def test_every_key_of_a_scenario_is_documented_and_every_documented_key_exists() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", SCHEMA, re.MULTILINE))

    assert documented == set(Scenario.model_fields)
    for model in (Fault, Action, Expected):
        assert all(f"{key}" in SCHEMA for key in model.model_fields)


def test_make_alone_lists_every_target_with_its_sentence() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert re.findall(r"^(prove|lab|ship)$", said, re.MULTILINE) == ["prove", "lab", "ship"]
    listed = re.findall(r"^  ([a-z0-9-]+) +\S", said, re.MULTILINE)
    named = re.findall(r"^([a-z0-9-]+):.*## ", text("Makefile"), re.MULTILINE)
    assert sorted(listed) == sorted(named)


def test_an_image_without_registry_or_version_is_refused_saying_how() -> None:
    done = subprocess.run(["make", "image", "--dry-run"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 2
    assert "make image REGISTRY=host/path VERSION=v1.2.0" in done.stderr
