"""The command `sluice image`, and what the Dockerfile promises without being built."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perf import hardware
from release import image
from release.build import Order
from release.image import Target

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BUILDKIT_ONLY = r"(?m)^# *syntax=|--mount=|--chmod=|--link\b|<<[-A-Z]|^COPY .*--parents"


def stage(name: str) -> str:
    found = re.search(rf"(?ms)^FROM \S+ AS {name}$(.*?)(?=^FROM |\Z)", DOCKERFILE)
    assert found is not None
    return found.group(1)


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    program = str(hadolint) if hadolint.exists() else shutil.which("hadolint")
    assert program, "hadolint is missing: uv sync"
    done = subprocess.run(
        [program, "--no-color", str(ROOT / "Dockerfile"), str(ROOT / "lab/Dockerfile")], capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_classic_builder_knows_every_line() -> None:
    assert not re.findall(BUILDKIT_ONLY, DOCKERFILE + (ROOT / "lab/Dockerfile").read_text())


@pytest.mark.parametrize("target", ["gateway", "engine"])
def test_an_image_runs_as_nobody_in_particular_and_says_version_and_commit(target: str) -> None:
    lines = stage(target)
    assert re.findall(r"(?m)^USER (.*)$", lines)[-1] == "65532:65532"
    assert "org.opencontainers.image.version=${VERSION}" in lines
    assert "org.opencontainers.image.revision=${COMMIT}" in lines


def test_the_version_changes_no_layer_above_the_labels() -> None:
    for target in ("gateway", "engine"):
        after = stage(target).split("ARG VERSION", 1)[1]
        assert not re.findall(r"(?m)^(RUN|COPY) ", after)


def test_installer_and_site_bundle_stay_in_the_build_stage() -> None:
    assert "site-ca" in stage("build")
    for target in ("gateway", "engine"):
        assert not re.search(r"site-ca|pip install|uv ", stage(target))


def test_what_is_installed_is_locked_by_hash() -> None:
    assert "uv export --quiet --frozen" in stage("build")
    assert "--require-hashes" in stage("build")


def test_no_secret_is_an_argument_or_a_variable() -> None:
    names = re.findall(r"(?m)^(?:ARG|ENV) (\w+)", DOCKERFILE)
    assert not [name for name in names if re.search("TOKEN|SECRET|PASSWORD|KEY", name)]


def test_production_images_have_no_fault_code() -> None:
    assert not re.search(r"(?m)^COPY .*\blab\b", DOCKERFILE)


def test_all_means_the_gateway_first() -> None:
    one = Order("", "r", "v1.0.0", "c", ROOT)
    assert [order.target for order in image.orders(one, Target.all)] == ["gateway", "engine"]
    assert [order.target for order in image.orders(one, Target.engine)] == ["engine"]


def test_no_daemon_ends_the_command_with_one_line_and_code_5(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    arguments = ["--registry", "r.example/s", "--version", "v1.0.0", "--commit", "c0ffee", "--context", str(ROOT)]
    done = CliRunner().invoke(image.app, arguments)
    assert done.exit_code == 5
    assert done.output.count("\n") == 1
    assert "no docker daemon answers" in done.output


@pytest.mark.parametrize(
    ("found", "more", "refused"),
    [
        (hardware.CPU, [], True),
        (hardware.CPU, ["--engine-base", "r/vllm-cpu@sha256:ab"], False),
        ("NVIDIA L4", [], False),
    ],
)
def test_an_engine_that_this_machine_could_not_measure_is_refused_before_it_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: str, more: list[str], refused: bool
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    monkeypatch.setenv("PERF_HARDWARE", found)
    arguments = ["--registry", "r", "--version", "v1.0.0", "--commit", "c", "--context", str(ROOT), "--measured-here"]
    done = CliRunner().invoke(image.app, arguments + more)
    assert (done.exit_code, done.output.count("\n")) == (5, 1)
    assert ("set the repository variable GPU_RUNNER" in done.output) == refused
    assert ("no docker daemon" in done.output) != refused


def test_a_version_that_is_none_is_refused_before_anything_is_built() -> None:
    done = CliRunner().invoke(image.app, ["--registry", "r", "--version", "latest", "--context", str(ROOT)])
    assert done.exit_code == 5
    assert "a version is like v1.2.0" in done.output
