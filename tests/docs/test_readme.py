"""What the READMEs name exists, and what exists is named."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lab import demo
from release import environment, errors

ROOT = Path(__file__).parents[2]
READMES = ["README.md", "README.zh.md"]
BIN = Path(sys.executable).parent
COMMAND = re.compile(r"    (?=(?:make|sluice|git|export|sha256sum) )(.+)")
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(name: str) -> list[str]:
    """Every command line that a reader would paste."""
    return [found[1] for line in text(name).splitlines() if (found := COMMAND.fullmatch(line))]


def starting(*words: str) -> list[str]:
    return sorted({one for one in commands("README.md") if one.split()[0] in words})


def spans(name: str) -> list[str]:
    """What stands in backticks, once each."""
    return sorted(set(re.findall(r"`([^`\n]+)`", BLOCK.sub("", text(name)))))


def pasted(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as it stands, where KUBECONFIG leads to no cluster: nothing real can be touched."""
    environ = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(home), "KUBECONFIG": str(home / "nowhere")}
    return subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, env=environ)


def codes(name: str) -> set[int]:
    return {int(found) for found in re.findall(r"^\| (\d+) \|", text(name), re.MULTILINE)}


@pytest.mark.parametrize("name", READMES)
def test_a_readme_is_short_and_its_first_command_stands_early(name: str) -> None:
    lines = text(name).splitlines()

    assert len(lines) <= 150
    assert next(number for number, line in enumerate(lines, 1) if line.startswith("    ")) < 20


def test_both_languages_have_the_same_commands() -> None:
    assert commands("README.md") == commands("README.zh.md")


def test_every_indented_line_is_a_command_that_these_tests_know() -> None:
    indented = [line.strip() for line in BLOCK.sub("", text("README.md")).splitlines() if line.startswith("    ")]

    assert indented == commands("README.md")


def test_both_languages_have_the_same_structure() -> None:
    shapes = [[re.match(r"#+|\||```\w*", line) for line in text(name).splitlines()] for name in READMES]
    english, chinese = ([found[0] for found in shape if found] for shape in shapes)

    assert english == chinese
    assert BLOCK.findall(text("README.md")) == BLOCK.findall(text("README.zh.md"))
    assert spans("README.md") == spans("README.zh.md")


@pytest.mark.parametrize("command", starting("make"))
def test_every_make_command_has_its_target(command: str) -> None:
    done = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", starting("sluice"))
def test_every_sluice_command_as_written_ends_in_one_documented_line_without_a_cluster(
    command: str, tmp_path: Path
) -> None:
    done = pasted(command, tmp_path)

    assert done.returncode in {errors.Refused.code, errors.Unreachable.code}
    assert re.fullmatch(r"sluice: [^\n]+\n", done.stderr)


@pytest.mark.parametrize("command", starting("sha256sum"))
def test_the_hash_of_the_gates_is_one_that_a_release_takes(command: str, tmp_path: Path) -> None:
    assert re.match(r"[0-9a-f]{64} ", pasted(command, tmp_path).stdout)


@pytest.mark.parametrize("command", starting("export"))
def test_after_the_export_the_shell_finds_sluice(command: str, tmp_path: Path) -> None:
    assert pasted(f"{command}; command -v sluice", tmp_path).stdout.strip() == str(ROOT / ".venv/bin/sluice")


def test_the_release_in_the_readme_is_one_that_deploy_takes() -> None:
    (block,) = BLOCK.findall(text("README.md"))

    assert environment.Release.model_validate(YAML(typ="safe").load(block)["release"]).version == "v1.0.0"


def test_every_path_in_backticks_exists() -> None:
    made = ("build/", "environments/staging/release.yaml", "/var/cache/sluice")
    paths = [span for span in spans("README.md") if re.fullmatch(r"[\w./*-]*/[\w./*-]*", span)]

    assert len(paths) > 10
    assert [path for path in paths if not path.startswith(made) and not list(ROOT.glob(path))] == []


def test_every_make_target_in_backticks_exists() -> None:
    for span in spans("README.md"):
        if span.startswith("make "):
            done = subprocess.run([*shlex.split(span), "--dry-run", "REGISTRY=r", "VERSION=v1.0.0"], cwd=ROOT)
            assert done.returncode == 0


@pytest.mark.parametrize("key", ["modelName", "engine", "gateway", "rollouts"])
def test_every_value_that_a_fork_edits_is_one_of_the_charts(key: str) -> None:
    assert f"`{key}`" in text("README.md")
    assert key in YAML(typ="safe").load(text("charts/llm/values.schema.json"))["properties"]


def test_the_demo_asks_for_the_disk_that_the_readme_names() -> None:
    assert f"{demo.DISK_GIB} GiB of disk" in text("README.md")
    assert f"{demo.DISK_GIB} GiB 磁盘" in text("README.zh.md")


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
def test_nothing_is_decorated(name: str) -> None:
    assert re.findall(r"!\[|[\U0001F000-\U0001FAFF\u2600-\u27BF]", text(name)) == []


@pytest.mark.parametrize("name", READMES)
def test_every_exit_code_is_in_the_table(name: str) -> None:
    known = {error.code for error in vars(errors).values() if isinstance(error, type)}

    assert codes(name) == known | {0, 2, 130}  # promoted, a wrong option, Ctrl-C


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
