import io
import tarfile
from pathlib import Path

import pytest

from release import buildkit
from release.errors import BuildFailed, Refused

SAYS = """#4 [gateway 2/5] RUN true
#4 0.1 output of the step
#4 [gateway 2/5] RUN true
#5 [gateway 3/5] COPY app/ app/
#5 DONE 0.1s
"""


def docker(folder: Path, script: str) -> None:
    """A command line that answers as `docker build` does; what it was given goes to files beside it."""
    file = folder / "docker"
    file.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" "kit=$DOCKER_BUILDKIT" > {folder}/given\n{script}\n')
    file.chmod(0o755)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    file = tmp_path / "context.tar"
    with tarfile.open(file, "w") as tar:
        tar.addfile(tarfile.TarInfo("Dockerfile"), io.BytesIO())
    return file


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def built(context: Path, said: list[str]) -> str:
    with context.open("rb") as archive:
        return buildkit.build(archive, ["--build-arg=VERSION=v1.0.0"], "gateway", said.append)


def test_the_context_goes_in_the_steps_are_said_once_and_the_id_comes_back(tmp_path: Path, context: Path) -> None:
    write_id = 'for a in "$@"; do case $a in --iidfile=*) printf sha256:built > "${a#--iidfile=}";; esac; done'
    docker(tmp_path, f"cat > {tmp_path}/taken\n{write_id}\ncat <<'SAYS'\n{SAYS}SAYS")
    said: list[str] = []

    assert built(context, said) == "sha256:built"
    assert said == ["gateway: [gateway 2/5] RUN true", "gateway: [gateway 3/5] COPY app/ app/"]
    given = (tmp_path / "given").read_text().split("\n")
    assert given[0] == "build"
    assert {"--target=gateway", "--build-arg=VERSION=v1.0.0", "kit=1"} <= set(given)
    assert (tmp_path / "taken").read_bytes() == context.read_bytes()


def test_a_failed_step_is_named(tmp_path: Path, context: Path) -> None:
    docker(
        tmp_path, "cat > /dev/null; echo 'ERROR: process \"/bin/sh -c false\" did not complete'; echo see docs; exit 1"
    )

    with pytest.raises(BuildFailed, match='building gateway failed: ERROR: process "/bin/sh -c false"'):
        built(context, [])


def test_an_end_without_an_image_is_a_failure(tmp_path: Path, context: Path) -> None:
    docker(tmp_path, "cat > /dev/null")

    with pytest.raises(BuildFailed, match="no output"):
        built(context, [])


def test_without_a_command_line_the_way_out_is_said(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(Refused, match="unset DOCKER_BUILDKIT"):
        built(context, [])


@pytest.mark.parametrize(("value", "asked"), [("1", True), ("0", False), ("", False)])
def test_the_switch_is_dockers_own(monkeypatch: pytest.MonkeyPatch, value: str, asked: bool) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", value)

    assert buildkit.wanted() is asked
