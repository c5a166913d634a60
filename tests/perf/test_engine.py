import subprocess
import sys
from pathlib import Path

import pytest

from perf import engine, hardware
from perf.errors import NotStarted, Refused

IMAGE = "registry.local/engine@sha256:" + "a" * 64


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that writes down what it is told, and knows one container's process."""
    told = tmp_path / "told"
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@" >>{told}\n[ "$1" != inspect ] || echo $PPID\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("PERF_HARDWARE", hardware.CPU)
    return told


def test_an_image_by_digest_runs_on_its_cores_as_every_engine_starts(docker: Path) -> None:
    with engine.recipe(IMAGE, [0, 2], 4000) as how:
        line = " ".join(how.command)

    assert "--cpuset-cpus=0,2" in line
    assert "--env=SLUICE_ENGINE_PORT=4000" in line
    assert f"--env=SLUICE_MODEL_NAME={engine.named_model(engine.ROOT)[0]}" in line
    assert line.endswith(f"{IMAGE} --distributed-executor-backend=uni")
    assert "--gpus" not in line
    assert f"--name={how.container}" in line


def test_an_image_is_given_the_gpus_where_there_are_some(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERF_HARDWARE", "NVIDIA L4")
    with engine.recipe(IMAGE, [0], 4000) as how:
        assert "--gpus=all" in how.command


@pytest.mark.parametrize("here", [True, False])
def test_an_engine_for_a_gpu_is_refused_where_there_is_none(
    docker: Path, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    script = f'[ "$1" != pull ] || touch {docker}.pulled\n[ "$1" != image ] || ' + "{ SAYS; }\n"
    says = 'echo "[PATH=/bin NVIDIA_VISIBLE_DEVICES=all]"'
    script = script.replace("SAYS", says if here else f"[ -e {docker}.pulled ] && {says}")
    (docker.parent / "docker").write_text(f"#!/bin/sh\n{script}")
    with pytest.raises(Refused, match=r"needs a GPU, .* GPU_RUNNER .* ENGINE_BASE"), engine.recipe(IMAGE, [0], 1):
        pass
    assert Path(f"{docker}.pulled").exists() is not here
    monkeypatch.setenv("PERF_HARDWARE", "NVIDIA L4")
    with engine.recipe(IMAGE, [0], 4000) as how:
        assert "--gpus=all" in how.command


def test_the_processes_of_a_container_are_those_inside_and_it_is_removed_at_the_end(
    docker: Path, tmp_path: Path
) -> None:
    with engine.running(IMAGE, [0], tmp_path / "log") as started:
        assert started.pids[0] > 0  # what docker's inspect said, not the docker that was started
        assert started.pids[0] != started.process.pid
    assert f"rm --force {started.container}" in docker.read_text()


def test_without_docker_an_image_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="docker is missing"), engine.recipe(IMAGE, [0], 1):
        pass


def test_what_is_no_image_folder_or_revision_is_refused() -> None:
    with pytest.raises(Refused, match="neither an image by digest"), engine.recipe("no-such-thing", [0], 1):
        pass


def test_a_git_revision_is_unpacked_with_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_PYTHON", sys.executable)
    monkeypatch.setenv("PERF_HARDWARE", hardware.CPU)
    with engine.recipe("HEAD", [0], 4000) as how:
        assert (how.folder / "model" / "model.yaml").exists()
        assert how.folder != engine.ROOT
        assert how.env["SLUICE_ENGINE_PORT"] == "4000"
    assert not how.folder.exists()


def test_where_vllm_is_missing_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_PYTHON", "/no/python")
    with pytest.raises(Refused, match="run lab/install engine"):
        engine.python_of_engine()


def test_an_engine_answers_when_it_is_ready_and_is_gone_afterwards(tmp_path: Path) -> None:
    with engine.running(engine.FAKE, [0], tmp_path / "log") as started:
        engine.ready(started, tmp_path / "log")
        assert engine.generates(started)
        engine.warm(started)
        assert started.process.pid in started.pids
    assert started.process.returncode is not None
    assert not engine.generates(started)
    with pytest.raises(NotStarted, match="warm-up failed: not started: ConnectionRefusedError"):
        engine.warm(started)


def test_an_engine_that_ends_before_it_answers_is_named_with_its_log(tmp_path: Path) -> None:
    dead = subprocess.Popen(["false"])
    dead.wait()
    with pytest.raises(NotStarted, match=r"ended with 1 before it answered: see .*log"):
        engine.ready(engine.Engine("http://127.0.0.1:1", "m", dead, (0,)), tmp_path / "log")


def test_an_engine_that_never_answers_is_given_up(tmp_path: Path, closed_port: int) -> None:
    mute = subprocess.Popen(["sleep", "60"])
    try:
        with pytest.raises(NotStarted, match="did not answer within 0 s"):
            engine.ready(engine.Engine(f"http://127.0.0.1:{closed_port}", "m", mute, (0,)), tmp_path / "log", seconds=0)
    finally:
        engine.end(mute)


def test_nothing_listens(closed_port: int) -> None:
    with pytest.raises(NotStarted, match=f"port {closed_port}"):
        engine.listening(closed_port, seconds=0)


def test_the_model_is_named_as_its_pin_says() -> None:
    name, context = engine.named_model(engine.ROOT)

    assert name
    assert context >= 128
