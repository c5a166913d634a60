from pathlib import Path

import pytest

from lab import modules, paths, tools
from lab.errors import Refused
from lab.tools import Tool


def test_every_pinned_program_is_found_in_its_go_mod() -> None:
    names = {tool.name for tool in tools.pinned()}

    assert {"kube-apiserver", "kubelet", "kubectl", "rollouts-controller", "helm", "coredns", "prometheus"} <= names


def test_every_module_has_checksums() -> None:
    for file in modules.PINS.glob("*/go.mod"):
        assert (file.parent / "go.sum").read_text().strip(), file


def test_a_version_is_read_from_go_mod() -> None:
    assert modules.version("kubernetes", "k8s.io/kubernetes").startswith("v1.")
    with pytest.raises(LookupError, match=r"does not require example\.com/none"):
        modules.version("kubernetes", "example.com/none")


def test_a_changed_pin_builds_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "PINS", tmp_path)
    monkeypatch.setattr(paths, "BIN", tmp_path / "bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one/go.mod").write_text("tool example.com/one v1\n")
    (tmp_path / "one/go.sum").write_text("h1\n")
    tool = Tool("one", "example.com/one")
    (paths.BIN / "one").touch()
    tool.stamp.touch()
    assert tool.built

    (tmp_path / "one/go.sum").write_text("h2\n")

    assert not tool.built


def test_resource_definitions_come_by_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "pinned", list)
    made: list[str] = []
    monkeypatch.setattr(tools, "definitions", lambda: made.append("them"))
    tools.ensure(made.append, ["helm"])
    assert "them" not in made
    tools.ensure(made.append, ["helm", tools.DEFINITIONS])
    assert "them" in made


def test_resource_definitions_are_copied_again_when_a_version_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"name": "v1", "text": "old"}

    def source(folder: str, path: str) -> Path:
        (tmp_path / folder / "manifests/crds").mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "manifests/crds/rollout-crd.yaml").write_text(said["text"])
        (tmp_path / folder / tools.TRAEFIK_CRDS).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / tools.TRAEFIK_CRDS).write_text("traefik")
        return tmp_path / folder

    monkeypatch.setattr(paths, "CACHE", tmp_path)
    monkeypatch.setattr(modules, "source", source)
    monkeypatch.setattr(modules, "version", lambda folder, path: said["name"])
    copied = tmp_path / "crds/argo-rollouts/rollout-crd.yaml"
    for name, text, there in (("v1", "old", "old"), ("v1", "new", "old"), ("v2", "new", "new")):
        said |= {"name": name, "text": text}
        tools.definitions()
        assert copied.read_text() == there


def test_without_go_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "BIN", tmp_path / "bin")
    monkeypatch.setattr(modules, "GO", tmp_path / "go")

    with pytest.raises(Refused, match="lab/install lab"):
        tools.ensure(print, ["helm"])
