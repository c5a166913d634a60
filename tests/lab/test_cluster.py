import fcntl
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from lab import cluster, paths
from lab.errors import NotReady, Refused
from lab.process import Program


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `up` would do, in its order, on a machine where nothing of it is really done."""
    done: list[str] = []
    monkeypatch.setattr(cluster, "LOCK", str(tmp_path / "lock"))
    for name in ("STATE", "LOGS", "RUN"):
        monkeypatch.setattr(paths, name, tmp_path / "state" / name)
    monkeypatch.setattr(paths, "KUBECONFIG", tmp_path / "kubeconfig")
    monkeypatch.setattr(cluster.checks, "root", lambda: None)
    monkeypatch.setattr(cluster.images, "pause", lambda: "pause")
    noted: dict[str, Callable[..., None]] = {
        "checks": lambda: done.append("checks"),
        "note": lambda: done.append("note"),
        "pki": lambda: done.append("pki"),
        "prepare": lambda _: done.append("prepare"),
        "addons": lambda: done.append("addons"),
        "clear": lambda keep_logs=False: done.append(f"clear keep_logs={keep_logs}"),
    }
    monkeypatch.setattr(cluster.checks, "before_start", noted["checks"])
    monkeypatch.setattr(cluster.aftermath, "note", noted["note"])
    monkeypatch.setattr(cluster.pki, "make", noted["pki"])
    monkeypatch.setattr(cluster.node, "prepare", noted["prepare"])
    monkeypatch.setattr(cluster.addons, "install", noted["addons"])
    monkeypatch.setattr(cluster.database, "create", lambda: done.append("database"))
    monkeypatch.setattr(cluster, "clear", noted["clear"])
    monkeypatch.setattr(cluster, "launch", lambda group, say: done.extend(one.name for one in group))
    return done


def up(bare: bool = False) -> None:
    cluster.up(lambda _: None, bare)


def test_everything_that_status_names_is_started_after_the_checks(calls: list[str]) -> None:
    for folder in (paths.STATE, paths.LOGS, paths.RUN):
        folder.mkdir(parents=True)
    paths.STATE.rmdir()  # no earlier lab
    up()

    assert calls[0] == "checks"
    assert {one for one in calls if one in cluster.NAMES} == cluster.NAMES


def test_a_bare_lab_has_nothing_of_what_is_installed_into_an_existing_cluster(calls: list[str]) -> None:
    up(bare=True)

    assert {one for one in calls if one in cluster.NAMES} == cluster.NAMES - cluster.ADDED
    assert not {"addons", "database"} & set(calls)


def test_what_a_crashed_lab_left_is_cleared_first(calls: list[str]) -> None:
    paths.STATE.mkdir(parents=True)
    up()

    assert calls[:2] == ["clear keep_logs=False", "checks"]


def test_a_start_that_fails_is_taken_back_and_its_logs_stay(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(group: Iterable[Program], say: cluster.Say) -> None:
        raise NotReady("etcd ended")

    monkeypatch.setattr(cluster, "launch", broken)
    with pytest.raises(NotReady, match="etcd ended"):
        up()

    assert calls[-1] == "clear keep_logs=True"


def test_a_second_one_at_once_is_refused_before_anything_is_done(calls: list[str]) -> None:
    with Path(cluster.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another `make lab`"):
            up()

    assert calls == []
