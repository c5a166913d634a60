"""What people read about releases, against what is there."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from release import drift
from release.approval import app as approval
from release.cli import app
from release.environment import Release
from release.flow import app as flow

ROOT = Path(__file__).parents[2]
PAGES = [".github/CONTRIBUTING.md", "infrastructure/README.md", "release/README.md", "release/maturity.md"]
SCHEMA = json.loads((ROOT / "charts/llm/values.schema.json").read_text())


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = {word for span in re.findall(r"`make ([a-z0-9 -]+)`", text) for word in span.split()}
    assert targets
    known = set(re.findall(r"(?m)^([a-z0-9-]+):", (ROOT / "Makefile").read_text())) | {"test"}
    folders = re.search(r"(?m)^FOLDERS := (.*)$", (ROOT / "Makefile").read_text())
    assert folders is not None
    assert targets <= known | set(folders[1].split())
    commands = {
        str(one.name or getattr(one.callback, "__name__", ""))
        for one in [*app.registered_commands, *flow.registered_commands, *approval.registered_commands]
    }
    assert set(re.findall(r"`sluice ([a-z]+)", text)) <= commands | {"image"}


def test_all_that_makes_a_release_is_explained_and_the_chart_takes_it() -> None:
    text = (ROOT / "release/README.md").read_text()
    table = text[text.index("## What a release is") : text.index("## Steps that wait")]
    assert re.findall(r"(?m)^\| `(\w+)` \|", table) == list(Release.model_fields)
    assert set(SCHEMA["properties"]["release"]["properties"]) == set(Release.model_fields)


def test_the_steps_of_the_page_are_steps_that_the_chart_takes() -> None:
    text = (ROOT / "release/README.md").read_text()
    block = "\n".join(line[4:] for line in text.splitlines() if line.startswith(("    rollouts:", "      ")))
    steps = YAML(typ="safe").load(block)["rollouts"]["steps"]
    schema = json.loads((ROOT / "rollouts/values.schema.json").read_text())["properties"]["steps"]
    jsonschema.validate(steps, schema)
    assert {key for step in steps for key in step} == set(schema["items"]["properties"])


def test_what_a_fork_sets_is_what_the_chart_takes() -> None:
    text = (ROOT / "release/README.md").read_text()
    assert set(SCHEMA["properties"]["delivery"]["properties"]) <= set(re.findall(r"`([A-Za-z]+)`", text))


def test_owners_and_bots_name_what_is_there() -> None:
    owners = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines() if line.startswith("/")]
    assert [path for path, *_ in owners if not (ROOT / path.lstrip("/")).exists()] == []
    bot = json.loads((ROOT / ".github/renovate.json").read_text())
    assert bot["minimumReleaseAge"] == "7 days"
    assert "docker:pinDigests" in bot["extends"]


def test_pull_mode_reads_the_same_files_and_leaves_alone_what_moves() -> None:
    found = YAML(typ="safe").load((ROOT / "release/argocd.yaml").read_text())["spec"]["template"]["spec"]
    folder = ROOT / found["source"]["path"]
    for name in found["source"]["helm"]["valueFiles"][:1]:
        assert (folder / name.replace("{{.path.basename}}", "staging")).resolve().is_file()
    ignored = {one["kind"]: one["jsonPointers"] for one in found["ignoreDifferences"]}
    for kind, paths in drift.MOVING.items():
        assert any(ignored[kind][0].strip("/").replace("/", ".").startswith(path) for path in paths)


def test_it_takes_no_merge_to_know_the_next_version() -> None:
    done = subprocess.run(["make", "--dry-run", "next"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "sluice version" in done.stdout
