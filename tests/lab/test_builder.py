import os
import shutil
from pathlib import Path

import pytest

from lab import builder
from lab.errors import Refused


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(builder, "STATE", tmp_path / "builder")
    monkeypatch.setattr(builder.paths, "STATE", tmp_path)
    return tmp_path


def test_our_daemon_touches_no_network_setting_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "path_of", lambda name: name)
    dockerd = builder.ours()[1].command
    assert {"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"} <= set(dockerd)


def test_its_run_state_stands_in_the_labs_folder_and_its_images_in_the_cache(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "path_of", lambda name: name)
    dockerd = " ".join(builder.ours()[1].command)
    assert f"--data-root={builder.paths.CACHE}/docker" in dockerd
    assert f"--exec-root={state}/builder/exec" in dockerd
    assert str(state) in (state / "builder/containerd.toml").read_text()


def test_a_missing_program_is_one_line_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(Refused, match="apt-get install"):
        builder.path_of("dockerd")


def test_a_daemon_that_does_not_answer_is_none(tmp_path: Path) -> None:
    assert builder.client(f"unix://{tmp_path}/nowhere.sock") is None


@pytest.mark.parametrize("before", [None, "unix:///other.sock"])
def test_the_command_line_is_pointed_at_the_same_daemon_and_no_longer_afterwards(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if before:
        monkeypatch.setenv("DOCKER_HOST", before)

    with builder.named("unix:///ours.sock"):
        assert os.environ["DOCKER_HOST"] == "unix:///ours.sock"
    assert os.environ.get("DOCKER_HOST") == before


def test_a_dockerfiles_steps_are_not_said_but_what_comes_of_them_is() -> None:
    said: list[str] = []
    say = builder.quiet(said.append)
    say("gateway: Step 1/2 : FROM python")
    say("gateway: pushing it")

    assert said == ["  gateway: pushing it"]


class Fake:
    """A program of the lab that is up once it was started."""

    def __init__(self, name: str, done: list[str], *, up: bool = False) -> None:
        self.name, self.done, self.up = name, done, up

    def ready(self) -> bool:
        return self.up

    def start(self) -> None:
        self.done.append(f"start {self.name}")

    def wait(self) -> None:
        self.up = True


@pytest.mark.parametrize("before", [False, True])
def test_what_our_daemon_mounted_goes_with_it_and_stays_where_it_was_there_before(
    monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    done: list[str] = []
    daemon = Fake(builder.DOCKERD, done, up=before)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(builder, "ours", lambda: [daemon])
    monkeypatch.setattr(builder.programs, "registry", lambda: Fake("registry", done, up=True))
    monkeypatch.setattr(builder, "client", lambda host: "a client")
    monkeypatch.setattr(builder.process, "pid_of", lambda name: None)  # whatever runs on this machine
    monkeypatch.setattr(builder.process, "stop", lambda name, seconds: done.append(f"stop {name}"))
    monkeypatch.setattr(builder.mounts, "taken_away", lambda folder: done.append(f"unmount {folder.name}"))

    with pytest.raises(KeyError), builder.running():
        raise KeyError
    wanted = [f"start {builder.DOCKERD}", f"stop {builder.DOCKERD}", "unmount builder"]
    assert done == ([] if before else wanted)


def test_without_root_a_daemon_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match=r"needs root: .* DOCKER_HOST"), builder.running():
        raise AssertionError
