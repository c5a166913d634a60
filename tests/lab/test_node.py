from pathlib import Path

import pytest

from lab import node, paths


def test_only_mounts_under_the_labs_folders_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", Path("/proc-of-nobody"))
    monkeypatch.setattr(paths, "CONTAINERD", Path("/proc-of-nobody"))

    assert node.mounts() == []


def test_the_gateways_address_is_never_given_to_a_pod() -> None:
    ipam = node.cni()["plugins"][0]["ipam"]  # type: ignore[index]

    assert ipam["ranges"][0][0]["rangeStart"] > paths.NODE_IP


def test_images_stay_when_the_state_goes() -> None:
    assert not paths.CONTAINERD.is_relative_to(paths.STATE)
    assert f'root = "{paths.CONTAINERD}"' in node.containerd("pause:1")
