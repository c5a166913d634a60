import shutil
import subprocess
from pathlib import Path

import pytest

from lab import linters, paths

BAD = {
    "actionlint": (".github/workflows/ci.yml", "runs-on: ubuntu-latest", "runs-on: ${{ nothing.here }}"),
    "zizmor": (".github/workflows/ci.yml", "run: make check", "run: make ${{ github.event.pull_request.title }}"),
    "shellcheck": ("lab/bases/python.sh", "set -eu", "set -eu\nrm -rf $1/*"),
    "hadolint": ("Dockerfile", "FROM ", "MAINTAINER nobody\nFROM "),
}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The files that linters read, in a repository of their own."""
    for name in (".github", "lab"):
        shutil.copytree(paths.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(paths.ROOT / "Dockerfile", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("name", BAD)
def test_each_linter_sees_a_planted_fault(copied: Path, name: str) -> None:
    if name == "actionlint" and not (paths.BIN / name).exists():
        pytest.skip("make check builds actionlint")
    file, good, bad = BAD[name]
    text = (copied / file).read_text()
    assert good in text
    (copied / file).write_text(text.replace(good, bad, 1))
    [words] = [one for one in linters.commands(copied) if Path(one[0]).name == name]
    done = subprocess.run(words, cwd=copied, capture_output=True, text=True)
    assert done.returncode != 0
    assert Path(file).name in done.stdout + done.stderr


SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80}]}\n"
ROLLOUT = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: x}\nspec: {replicas: 1}\n"


@pytest.mark.skipif(not (paths.BIN / "kubeconform").exists(), reason="make check builds kubeconform")
@pytest.mark.parametrize(
    ("good", "wrong"),
    [(SERVICE, ("ports", "prots")), (SERVICE, ("80", "eighty")), (ROLLOUT, ("replicas: 1", "replicas: one"))],
)
def test_kubeconform_sees_a_wrong_key_and_a_wrong_type(good: str, wrong: tuple[str, str]) -> None:
    assert linters.judged(good) == ""
    assert "failed validation" in linters.judged(good.replace(*wrong)) or "is invalid" in linters.judged(
        good.replace(*wrong)
    )


@pytest.mark.skipif(not (paths.BIN / "kubeconform").exists(), reason="make check builds kubeconform")
@pytest.mark.parametrize(
    "wrong",
    [("valueFiles:", "valuesFiles:"), ("prune: true", "prune: often"), ("goTemplate: true", "goTemplates: true")],
)
def test_pull_modes_manifest_is_judged_by_argo_cds_own_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str]
) -> None:
    monkeypatch.setattr(linters, "rendered", lambda root, environment: SERVICE)
    file = tmp_path / linters.PULL_MODE
    file.parent.mkdir()
    good = (paths.ROOT / linters.PULL_MODE).read_text()
    assert wrong[0] in good
    for text, said in ((good, False), (good.replace(*wrong), True)):
        file.write_text(text)
        assert bool(linters.conformed(tmp_path)) is said


def test_scripts_are_found_by_their_first_line() -> None:
    assert {"lab/install", ".ci/run", "lab/bases/engine.sh"} <= set(linters.scripts(paths.ROOT))
