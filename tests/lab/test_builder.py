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
