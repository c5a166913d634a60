from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release.cluster import Cluster, Run, State, connect
from release.errors import NotInstalled, Unreachable
from release.watch import progress

Make = Callable[..., State]


def test_a_canary_in_progress_waits(state: Make) -> None:
    found = state()
    assert (found.verdict(), found.weight, found.release, found.in_progress) == ("waiting", 5, "v1.1.0-r2", True)


def test_promoted_needs_health_the_same_hash_and_the_image(state: Make) -> None:
    found = state(phase="Healthy", stableRS="new")
    assert found.verdict(found.images[0]) == "promoted"
    assert found.weight == 100
    assert found.verdict("another@sha256:0") == "waiting"
    assert state(phase="Healthy").verdict() == "waiting"
    assert state(stableRS="new").verdict() == "waiting"


def test_a_status_that_is_older_than_the_spec_decides_nothing(state: Make) -> None:
    assert state(observed=False, phase="Healthy", stableRS="new").verdict() == "waiting"
    assert state(observed=False, abort=True).verdict() == "waiting"


def test_an_abort_is_one_when_all_traffic_is_back(state: Make) -> None:
    found = state(abort=True, phase="Degraded")
    assert (found.verdict(), found.in_progress) == ("aborted", False)
    some = {"weights": {"canary": {"weight": 5, "podTemplateHash": "new"}}}
    assert state(abort=True, phase="Degraded", canary=some).verdict() == "waiting"


def test_a_first_install_that_never_served_is_stopped_though_argo_aborts_none(failed_install: Any) -> None:
    found = State.of(failed_install())
    assert (found.verdict(), found.abort, found.in_progress, found.stillborn) == ("aborted", False, False, True)
    assert State.of(failed_install(observed=False)).verdict() == "waiting"
    assert State.of(failed_install(phase="Progressing", message="")).verdict() == "waiting"
    unseen = {"currentPodHash": "", "stableRS": "", "message": "InvalidSpec: AnalysisTemplate 'x' not found"}
    assert State.of(failed_install(**unseen)).verdict() == "waiting"  # Argo says so until it has seen the template


def test_a_version_that_served_once_and_lost_its_pods_is_not_stopped(failed_install: Any) -> None:
    conditions = [*failed_install()["status"]["conditions"], {"type": "Healthy", "status": "False"}]
    found = State.of(failed_install(conditions=conditions))
    assert (found.verdict(), found.stillborn) == ("waiting", False)


def test_a_first_install_is_not_in_progress(state: Make) -> None:
    assert not state(stableRS="").in_progress


def test_blue_green_has_all_traffic_or_none(state: Make) -> None:
    assert state(canary={}, blueGreen={"activeSelector": "old"}).weight == 0
    assert state(canary={}, blueGreen={"activeSelector": "new"}).weight == 100
    assert state(canary={}, blueGreen={"activeSelector": "new"}, abort=True).weight == 0  # as the gateway takes it


def test_a_reason_is_for_the_release_that_it_was_given_to(rollout: Callable[..., dict[str, Any]]) -> None:
    found = rollout()
    found["metadata"]["annotations"] |= {"sluice.dev/abort-reason": "me: no", "sluice.dev/aborted-release": "v1.1.0-r2"}
    assert State.of(found).reason == "me: no"
    found["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "3"
    assert State.of(found).reason == ""


def test_runs_are_found_by_label(api: Any, cluster: Cluster, runs_path: str) -> None:
    labels = {"rollout-type": "Step", "step-index": "3"}
    run = {
        "metadata": {"name": "x", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"phase": "Failed", "message": "m", "metricResults": [{"name": "bad-share", "phase": "Failed"}]},
    }
    api.on("GET", runs_path, {"metadata": {}, "items": [run]})
    assert cluster.runs("new") == [Run("x", "Step", 3, "Failed", "m", {"bad-share": "Failed"})]
    assert api.heard("GET")[0]["query"]["labelSelector"] == ["rollouts-pod-template-hash=new"]


def test_nothing_installed_is_said(api: Any, cluster: Cluster) -> None:
    assert cluster.find() is None
    with pytest.raises(NotInstalled, match="sluice deploy"):
        cluster.state()


def test_an_abort_writes_the_reason_before_it_stops(api: Any, cluster: Cluster, rollout_path: str) -> None:
    api.on("PATCH", rollout_path, {})
    api.on("PATCH", f"{rollout_path}/status", {})
    cluster.abort("v1.1.0-r2", "me: no")
    assert api.paths("PATCH") == [rollout_path, f"{rollout_path}/status"]
    note, stop = (heard["body"] for heard in api.heard("PATCH"))
    assert note["metadata"]["annotations"]["sluice.dev/abort-reason"] == "me: no"
    assert stop == {"status": {"abort": True}}


def test_what_the_cluster_forbids_is_one_line(api: Any, cluster: Cluster, rollout_path: str) -> None:
    forbidden = {"kind": "Status", "status": "Failure", "code": 403, "message": "may not get rollouts"}
    api.on("GET", rollout_path, forbidden, code=403)
    with pytest.raises(Unreachable, match="may not get rollouts; check your rights"):
        cluster.state()


def test_a_kubeconfig_to_nowhere_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(Unreachable, match="KUBECONFIG"):
        connect("demo", "llm").state()


def test_a_server_that_is_gone_is_one_line(api: Any, cluster: Cluster) -> None:
    api.close()
    with pytest.raises(Unreachable, match="does not answer") as error:
        cluster.state()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("reason", "step", "waits"),
    [
        ("CanaryPauseStep", {"pause": {}}, True),
        ("CanaryPauseStep", {"pause": {"duration": "60s"}}, False),
        ("InconclusiveAnalysisRun", {"analysis": {}}, False),
        ("BlueGreenPause", {}, True),
    ],
)
def test_only_a_pause_without_an_end_waits_for_a_person(rollout: Any, reason: str, step: Any, waits: bool) -> None:
    found = rollout(pauseConditions=[{"reason": reason}])
    found["spec"]["strategy"]["canary"]["steps"][4] = step
    state = State.of(found)
    assert state.waits is waits
    assert ("sluice approve" in progress(state)) is waits


def test_a_release_that_pauses_nowhere_waits_for_nobody(rollout: Any) -> None:
    assert State.of(rollout()).waits is False
