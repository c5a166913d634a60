from pathlib import Path

import pytest

from lab import cluster, database, observers, paths, programs


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)


def everything() -> dict[str, str]:
    found = [
        *(programs.registry(), programs.slack(), database.server(), programs.containerd(), *programs.control_plane()),
        *(*programs.workers(), programs.argo_rollouts(), observers.prometheus(), observers.alertmanager()),
    ]
    return {one.name: " ".join(map(str, one.command)) for one in found}


def test_status_knows_every_program() -> None:
    assert set(everything()) == cluster.NAMES


def test_nothing_listens_beyond_this_machine() -> None:
    for name, line in everything().items():
        assert "0.0.0.0" not in line, name  # noqa: S104
        assert "=:" not in line, name  # Go's way to say every address


def test_the_api_server_trusts_only_our_own_authority() -> None:
    line = everything()["kube-apiserver"]

    assert "--authorization-mode=RBAC" in line
    assert f"--kubelet-certificate-authority={paths.PKI}/ca.crt" in line
    assert "--anonymous-auth=true" not in line


def test_an_address_without_anybody_does_not_answer() -> None:
    assert not programs.answers("http://127.0.0.1:9/")()
