from typing import Any

import pytest

from app.arms import Arms, Board
from app.cluster import ClusterArms
from app.settings import Settings


def rollout(current: str = "old", stable: str = "old", weight: int | None = None, **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"currentPodHash": current, "stableRS": stable, "observedGeneration": "7", **more}
    if weight is not None:
        status["canary"] = {"weights": {"canary": {"weight": weight}, "stable": {"weight": 100 - weight}}}
    notes = {"sluice.dev/version": "v2" if current != "old" else "v1", "rollout.argoproj.io/revision": "2"}
    return {"metadata": {"name": "llm-engine", "generation": 7, "annotations": notes}, "status": status}


def pod(name: str, template: str, ready: str = "True", **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"rollouts-pod-template-hash": template}, **meta},
        "status": {"podIP": f"10.0.0.{len(name)}", "conditions": [{"type": "Ready", "status": ready}]},
    }


def view(found: dict[str, Any], *pods: dict[str, Any], known: ClusterArms | None = None) -> Arms | None:
    cluster = known or ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    cluster.pods_changed({one["metadata"]["name"]: one for one in pods})
    cluster.rollout_changed({"llm-engine": found})
    return cluster.board.arms


OLD, NEW = pod("a", "old"), pod("bb", "new")


def test_without_a_release_everything_is_stables() -> None:
    arms = view(rollout(), OLD)

    assert arms is not None
    assert (arms.release, arms.in_progress, arms.step, arms.stable) == (
        "v1-r2",
        False,
        "100",
        ("http://10.0.0.1:8000",),
    )


def gateway(name: str, template: str, ready: str = "True", instance: str = "llm", **meta: Any) -> dict[str, Any]:
    found = pod(name, template, ready, **meta)
    parts = {"name": "llm", "instance": instance, "component": "gateway"}
    found["metadata"]["labels"] |= {f"app.kubernetes.io/{part}": value for part, value in parts.items()}
    return found


def test_the_gateways_that_share_the_engines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "own")
    pods = [
        gateway("own", "gw-1", ready="False"),  # it is not ready before it knows the engines
        gateway("other", "gw-1"),
        gateway("newest", "gw-2"),
        gateway("starting", "gw-2", ready="False"),
        gateway("leaving", "gw-1", deletionTimestamp="2026-01-01T00:00:00Z"),
        gateway("somebody-elses", "gw-1", instance="another"),
    ]
    arms, alone = view(rollout(), OLD, *pods), view(rollout(), OLD, pods[1])

    assert arms is not None and alone is not None
    assert (arms.gateways, alone.gateways) == (3, 1)


def test_a_release_in_progress_has_the_rollouts_weight_and_both_arms_pods() -> None:
    arms = view(rollout("new", weight=5), OLD, NEW)

    assert arms is not None
    assert (arms.rollout, arms.release, arms.weight, arms.step) == ("n/llm-engine", "v2-r2", 5, "5")
    assert (arms.stable, arms.canary) == (("http://10.0.0.1:8000",), ("http://10.0.0.2:8000",))


def test_before_the_first_weight_the_step_is_0() -> None:
    arms = view(rollout("new"), OLD, NEW)

    assert arms is not None
    assert (arms.step, arms.has_canary) == ("0", True)


def test_an_abort_takes_the_canary_away_at_once() -> None:
    arms = view(rollout("new", weight=25, abort=True), OLD, NEW)

    assert arms is not None
    assert (arms.in_progress, arms.weight, arms.canary) == (False, 0, ())


def test_after_an_abort_answers_name_the_version_that_gives_them() -> None:
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    view(rollout(), OLD, known=cluster)
    arms = view(rollout("new", weight=0, abort=True), OLD, NEW, known=cluster)

    assert arms is not None
    assert (arms.version, arms.release) == ("v1", "v2-r2")


def replicas(template: str, version: str, revision: str) -> dict[str, Any]:
    notes = {"sluice.dev/version": version, "rollout.argoproj.io/revision": revision}
    labels = {"rollouts-pod-template-hash": template}
    return {"metadata": {"name": f"llm-engine-{template}", "labels": labels, "annotations": notes}}


@pytest.mark.parametrize("first", [True, False])
def test_a_gateway_that_starts_within_a_release_knows_what_stable_runs(first: bool) -> None:
    """Its ReplicaSets tell, whenever they come."""
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    sets = {one["metadata"]["name"]: one for one in (replicas("old", "v1", "1"), replicas("new", "v2", "2"))}
    if first:
        cluster.sets_changed(sets)
    view(rollout("new", weight=5), OLD, NEW, known=cluster)
    cluster.sets_changed(sets)

    arms = cluster.board.arms
    assert arms is not None
    assert (arms.given_by["stable"], arms.given_by["canary"]) == (("v1", "1"), ("v2", "2"))
    assert (arms.release, arms.version) == ("v2-r2", "v2")


def test_what_ran_before_a_release_is_remembered() -> None:
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    before = view(rollout(), OLD, known=cluster)
    arms = view(rollout("new", weight=5), OLD, NEW, known=cluster)
    after = view(rollout("new", "new", weight=100), NEW, known=cluster)

    assert before is not None and arms is not None and after is not None
    assert [one.given_by["stable"][0] for one in (before, arms, after)] == ["v1", "v1", "v2"]


def test_a_canary_that_was_never_ready_is_not_there_yet() -> None:
    arms = view(rollout("new", weight=0), OLD, pod("bb", "new", ready="False"))

    assert arms is not None
    assert not arms.has_canary


def test_a_canary_that_was_ready_once_stays_and_is_seen_to_fail() -> None:
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    view(rollout("new", weight=0), OLD, NEW, known=cluster)
    arms = view(rollout("new", weight=0), OLD, pod("bb", "new", ready="False"), known=cluster)

    assert arms is not None
    assert (arms.has_canary, arms.canary) == (True, ())


def test_pods_that_an_earlier_release_left_are_not_the_canarys_own() -> None:
    """Released again within scaleDownDelay: Argo ends the pods that are there, and starts the canary's later."""
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    view(rollout(), OLD, NEW, known=cluster)
    begun = rollout("new", weight=0)
    steps = [
        ((OLD, NEW), True),  # while it is there it may be asked
        ((OLD, pod("bb", "new", deletionTimestamp="2026-01-01T00:00:00Z")), False),
        ((OLD,), False),
        ((OLD, pod("dddd", "new", ready="False")), False),
        ((OLD, pod("dddd", "new")), True),
        ((OLD, pod("dddd", "new", ready="False")), True),  # its own, and seen to fail
    ]
    for pods, has in steps:
        arms = view(begun, *pods, known=cluster)
        assert arms is not None
        assert arms.has_canary is has


def test_a_template_that_was_a_canary_before_begins_anew() -> None:
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    view(rollout("new", weight=0), OLD, NEW, known=cluster)
    view(rollout(), OLD, known=cluster)
    again = rollout("new", weight=0)
    again["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "4"
    arms = view(again, OLD, known=cluster)
    assert arms is not None
    assert not arms.has_canary


def test_a_pod_on_its_way_out_gets_no_requests() -> None:
    arms = view(rollout(), OLD, pod("ccc", "old", deletionTimestamp="2026-01-01T00:00:00Z"))

    assert arms is not None
    assert arms.stable == ("http://10.0.0.1:8000",)


def test_a_spec_that_the_controller_has_not_seen_changes_nothing() -> None:
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    before = view(rollout(), OLD, known=cluster)
    unseen = rollout("new", weight=5, observedGeneration="6")

    assert view(unseen, OLD, NEW, known=cluster) == before


def test_blue_green_sends_nobody_to_the_preview_but_probes_reach_it() -> None:
    arms = view(rollout("new", blueGreen={"activeSelector": "old", "previewSelector": "new"}), OLD, NEW)

    assert arms is not None
    assert (arms.step, arms.has_canary, arms.canary) == ("0", True, ("http://10.0.0.2:8000",))


def test_blue_green_switches_everybody() -> None:
    arms = view(rollout("new", "new", blueGreen={"activeSelector": "new"}), OLD, NEW)

    assert arms is not None
    assert (arms.in_progress, arms.stable) == (False, ("http://10.0.0.2:8000",))


def test_a_blue_green_is_still_judged_after_its_switch_and_an_abort_sends_everybody_back() -> None:
    switched: Any = {"blueGreen": {"activeSelector": "new"}}
    arms, back = view(rollout("new", **switched), OLD, NEW), view(rollout("new", **switched, abort=True), OLD, NEW)

    assert arms is not None
    assert back is not None
    assert (arms.in_progress, arms.weight, arms.canary) == (True, 100, ("http://10.0.0.2:8000",))
    assert arms.stable == ("http://10.0.0.1:8000",)  # rescues
    assert (back.in_progress, back.weight, back.stable) == (False, 0, ("http://10.0.0.1:8000",))


def test_the_weight_of_an_earlier_canary_is_not_the_new_ones() -> None:
    found = rollout("new", weight=25)
    found["status"]["canary"]["weights"]["canary"]["podTemplateHash"] = "between"
    arms = view(found, OLD, NEW)

    assert arms is not None
    assert arms.step == "0"


def test_pods_that_go_are_noticed_while_the_controller_is_away() -> None:
    cluster = ClusterArms(Settings(namespace="n", rollout="llm-engine"), Board())
    view(rollout(), OLD, known=cluster)
    cluster.rollout_changed({"llm-engine": rollout("new", observedGeneration="6")})
    cluster.pods_changed({"ccc": pod("ccc", "old")})

    assert cluster.board.arms is not None
    assert cluster.board.arms.stable == ("http://10.0.0.3:8000",)
