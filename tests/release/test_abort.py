from collections.abc import Callable
from typing import Any

import pytest

from release import abort as module
from release.abort import abort, supersede
from release.cluster import Cluster
from release.errors import Refused, TimedOut

Make = Callable[..., dict[str, Any]]


def test_who_and_why_are_written_down(
    api: Any, cluster: Cluster, rollout: Make, rollout_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "wu")
    api.on("GET", rollout_path, rollout())
    api.on("PATCH", rollout_path, {})
    api.on("PATCH", f"{rollout_path}/status", {})
    abort(cluster, "answers look wrong")
    notes = api.heard("PATCH")[0]["body"]["metadata"]["annotations"]
    assert notes == {
        "sluice.dev/abort-reason": "wu: answers look wrong",
        "sluice.dev/aborted-release": "v1.1.0-r2",
    }


@pytest.mark.parametrize("status", [{"phase": "Healthy", "stableRS": "new"}, {"abort": True}, {"stableRS": ""}])
def test_without_a_release_in_progress_nothing_is_touched(
    api: Any, cluster: Cluster, rollout: Make, rollout_path: str, status: dict[str, Any]
) -> None:
    api.on("GET", rollout_path, rollout(**status))
    with pytest.raises(Refused):
        abort(cluster, "why")
    assert api.paths("PATCH") == []


def test_superseding_waits_until_the_old_pods_are_gone(
    api: Any, cluster: Cluster, rollout: Make, rollout_path: str
) -> None:
    stopped = {"abort": True, "canary": {"weights": {"canary": {"weight": 0}}}}
    api.on("GET", rollout_path, rollout(), rollout(**stopped), rollout(**stopped, updatedReplicas=0))
    api.on("PATCH", rollout_path, {})
    api.on("PATCH", f"{rollout_path}/status", {})
    assert supersede(cluster, "v1.2.0", pause=0.01).version == "v1.1.0"
    assert api.paths("GET").count(rollout_path) == 3
    reason = api.heard("PATCH")[0]["body"]["metadata"]["annotations"]["sluice.dev/abort-reason"]
    assert reason.endswith("superseded by v1.2.0")


def test_superseding_gives_up_on_pods_that_stay(
    api: Any, cluster: Cluster, rollout: Make, rollout_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GONE", 0.05)
    api.on("GET", rollout_path, rollout())
    api.on("PATCH", rollout_path, {})
    api.on("PATCH", f"{rollout_path}/status", {})
    with pytest.raises(TimedOut, match="pods are still there"):
        supersede(cluster, "v1.2.0", pause=0.01)


def test_both_parts_that_are_in_progress_are_stopped(
    api: Any, cluster: Cluster, rollout: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    api.on("GET", rollout_path, rollout())
    api.on("GET", gateway_path, gateway())
    for path in (rollout_path, gateway_path):
        api.on("PATCH", path, {})
        api.on("PATCH", f"{path}/status", {})
    assert abort(cluster, "why").rollout == "demo/llm-engine"
    assert api.paths("PATCH") == [rollout_path, f"{rollout_path}/status", gateway_path, f"{gateway_path}/status"]


def test_a_gateway_alone_is_stopped_too(
    api: Any, cluster: Cluster, healthy: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    api.on("GET", rollout_path, healthy())
    api.on("GET", gateway_path, gateway())
    api.on("PATCH", gateway_path, {})
    api.on("PATCH", f"{gateway_path}/status", {})
    assert abort(cluster, "why").rollout == "demo/llm-gateway"
