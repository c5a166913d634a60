import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import existing, paths
from lab.errors import NotReady, Refused

Answers = dict[str, str]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """A cluster that is fit for it; the answers of `kubectl`, by a part of its arguments."""
    answers = {"--raw": "ok", "can-i": "yes", "crd": "", "namespace": ""}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr(paths, "KUBECONFIG", kubeconfig)
    monkeypatch.setattr(paths, "REGISTRY", "registry.example/team")
    monkeypatch.setattr(paths, "RUN", tmp_path)
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr(existing.checks, "free_port", lambda port: None)

    def kubectl(*arguments: str, **_: object) -> str:
        answer = next(text for part, text in answers.items() if part in arguments)
        if answer == "away":
            raise NotReady("connection refused")
        return answer

    monkeypatch.setattr(existing, "kubectl", kubectl)
    return answers


def test_a_cluster_that_is_fit_is_taken(cluster: Answers) -> None:
    existing.before_start()


def test_what_an_earlier_run_made_is_taken_too(cluster: Answers) -> None:
    cluster["crd"] = cluster["namespace"] = '{"app.kubernetes.io/managed-by":"sluice-lab"}'

    existing.before_start()


def test_a_folder_that_is_not_ours_to_write_is_named(cluster: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(Refused, match=rf"{paths.STATE.parent} cannot be written to: .* SLUICE_STATE"):
        existing.before_start()


@pytest.mark.parametrize(
    ("part", "answer", "said"),
    [
        ("--raw", "away", "the cluster does not answer"),
        ("can-i", "no", "may not create namespaces"),
        ("crd", "map[]", "has Argo Rollouts already"),
        ("namespace", "map[]", "a namespace sluice-lab that is not ours"),
    ],
)
def test_a_cluster_that_is_not_fit_is_refused(cluster: Answers, part: str, answer: str, said: str) -> None:
    cluster[part] = answer

    with pytest.raises(Refused, match=said):
        existing.before_start()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda patch: patch.delenv("KUBECONFIG"), "needs KUBECONFIG"),
        (lambda patch: patch.setattr(paths, "KUBECONFIG", Path("/nowhere")), "/nowhere: no such file"),
        (lambda patch: patch.setattr(paths, "REGISTRY", ""), "needs REGISTRY"),
    ],
)
def test_what_must_be_named_is_asked_for(
    cluster: Answers, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], said: str
) -> None:
    change(monkeypatch)

    with pytest.raises(Refused, match=said):
        existing.before_start()


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "BIN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Refused, match="prometheus is missing: run `make tools`"):
        existing.program("prometheus")


def test_the_build_context_holds_the_dockerfile_and_the_programs(tmp_path: Path) -> None:
    (tmp_path / "prometheus").write_bytes(b"program")
    with tarfile.open(fileobj=existing.archived({"bin/prometheus": tmp_path / "prometheus"})) as tar:
        assert tar.getnames() == ["Dockerfile", "bin/prometheus"]
