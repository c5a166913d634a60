"""Every page for people, against what is there: commands, targets, settings, metrics and links."""

import re
import subprocess
from pathlib import Path

import pytest
import typer

from model import cli as model
from model import pin
from quality import cli as quality
from release import approval, cli, flow, summary, surveys, trigger

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
PAGES = [name for name in TRACKED if name.endswith(".md") and (ROOT / name).exists()]
CODE = ("app", "charts", "lab", "model", "monitoring", "perf", "quality", "release", "rollouts", "Makefile", ".github")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source() -> str:
    """All that is executed or read by what is."""
    files = [ROOT / one for one in TRACKED if one.startswith(CODE) and not one.endswith((".md", ".safetensors"))]
    return "\n".join(file.read_text(encoding="utf-8", errors="ignore") for file in files if file.is_file())


def commands() -> set[str]:
    """What may stand behind `sluice`; a group's own commands behind its name."""
    groups = {"quality": quality.app, "model": model.app, "feedback": surveys.said, "ab": surveys.compare}
    single = {name for part in (cli, flow, trigger, approval, summary) for name in named(part.app)} | {"image"}
    return single | set(groups) | {f"{group} {name}" for group, part in groups.items() for name in named(part)}


def named(part: typer.Typer) -> set[str]:
    return {str(one.name or getattr(one.callback, "__name__", "")) for one in part.registered_commands}


def spans(name: str) -> list[str]:
    """What stands in backticks, and each line that is to be pasted."""
    return re.findall(r"`([^`\n]+)`", text(name)) + re.findall(r"(?m)^    (\S.*)$", text(name))


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_sluice_exists(name: str) -> None:
    known = commands()
    groups = {one.split()[0] for one in known if " " in one}
    for span in spans(name):
        if found := re.match(r"sluice ([a-z]\S*)(?: ([a-z]\S*))?", span):
            first, second = found.groups()
            assert first in known, span
            assert first not in groups or second is None or f"{first} {second}" in known, span


@pytest.mark.parametrize("name", PAGES)
def test_every_target_of_make_exists(name: str) -> None:
    targets = set(re.findall(r"(?m)^([a-z0-9-]+):", text("Makefile")))
    folders = re.search(r"(?m)^FOLDERS := (.*)$", text("Makefile"))
    assert folders is not None
    for span in spans(name):
        if span.startswith("make "):
            asked = [word for word in span.split("#")[0].split()[1:] if "=" not in word]
            assert set(asked) <= targets | set(folders[1].split()), span


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_and_metric_is_one_that_the_code_has(name: str, source: str) -> None:
    settings = set(re.findall(r"\bSLUICE_([A-Z_]+[A-Z])\b", text(name)))
    assert {one for one in settings if not re.search(rf"SLUICE_{one}|\b{one.lower()}\b", source)} == set()
    metrics = re.findall(r"\bsluice[_:][a-z_:]+[a-z]\b", text(name))
    assert [one for one in metrics if one not in source and one.removesuffix("_total") not in source] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_of_the_repository(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text(name))
    assert [one for one in links if not ((ROOT / name).parent / one).exists()] == []


def test_every_key_of_the_pin_is_explained_and_no_other() -> None:
    rows = re.findall(r"(?m)^\| (`[^|]+`) \|", text("model/README.md"))
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == pin.KEYS | pin.MORE
