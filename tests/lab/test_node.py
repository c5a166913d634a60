import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import node, paths


def test_the_gateways_address_is_never_given_to_a_pod() -> None:
    ipam = node.cni()["plugins"][0]["ipam"]  # type: ignore[index]

    assert ipam["ranges"][0][0]["rangeStart"] > paths.NODE_IP


def test_images_stay_when_the_state_goes() -> None:
    assert not paths.CONTAINERD.is_relative_to(paths.STATE)
    assert f'root = "{paths.CONTAINERD}"' in node.containerd("pause:1")


def test_a_forgotten_keeper_of_containers_is_ended_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "CONTAINERD_SOCKET", tmp_path / "ours.sock")
    wait = "import time; time.sleep(60)"
    line = [sys.executable, "-c", wait, "containerd-shim-runc-v2", "-address"]
    ours = subprocess.Popen([*line, str(tmp_path / "ours.sock")])
    other = subprocess.Popen([*line, "/run/containerd/containerd.sock"])
    try:
        while node.shims() != [ours.pid]:  # until both have their command lines
            time.sleep(0.01)
        monkeypatch.setattr(node, "SHIM_SECONDS", 0)  # nobody but us collects the child
        node.end_shims()

        assert ours.wait(10) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for child in (ours, other):
            child.kill()
            child.wait()
