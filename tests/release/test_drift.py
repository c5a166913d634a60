from typing import Any

import pytest

from release.cluster import Cluster
from release.drift import drifted, live, plural, quantity, stopped


def deployment(replicas: int = 2, **metadata: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "llm-gateway"} | metadata, "spec": {"replicas": replicas}}


def found(wanted: dict[str, Any], live: dict[str, Any] | None) -> list[str]:
    return drifted([wanted], {f"{wanted['kind']}/{wanted['metadata']['name']}": live})


def test_what_the_cluster_adds_by_itself_is_no_drift() -> None:
    live = deployment(uid="1", labels={"added": "by-a-controller"}) | {"status": {"replicas": 2}}
    live["spec"]["progressDeadlineSeconds"] = 600
    assert found(deployment(labels={}), live) == []


def test_an_edited_field_is_named_with_both_values() -> None:
    assert found(deployment(2), deployment(3)) == ["Deployment/llm-gateway spec.replicas: git 2, cluster 3"]


def test_a_deleted_object_and_a_deleted_label_are_named() -> None:
    assert found(deployment(), None) == ["Deployment/llm-gateway: gone from the cluster"]
    assert found(deployment(labels={"a": "b"}), deployment()) == [
        "Deployment/llm-gateway metadata.labels.a: git 'b', cluster None"
    ]


def test_a_secret_that_the_cluster_made_is_no_drift_and_a_gone_one_is() -> None:
    wanted = {"kind": "Secret", "metadata": {"name": "probe", "labels": {"a": "b"}}, "data": {"key": "MTIz"}}
    assert found(wanted, wanted | {"data": {"key": "NDU2"}}) == []
    assert found(wanted, None) == ["Secret/probe: gone from the cluster"]


def test_the_selector_that_argo_moves_is_no_drift() -> None:
    wanted = {"kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"rollouts-pod-template-hash": "a"}}}
    live = wanted | {"spec": {"selector": {"rollouts-pod-template-hash": "b"}}}
    assert found(wanted, live) == []


@pytest.mark.parametrize(("one", "other"), [("1000m", 1), ("1Gi", "1024Mi"), ("0.5", "500m"), ("2", 2)])
def test_one_quantity_written_twice_is_no_drift(one: Any, other: Any) -> None:
    assert quantity(one) == quantity(other)
    assert quantity(one) != quantity("3Gi")


def test_a_kind_is_found_under_its_plural() -> None:
    assert [plural(one) for one in ("Rollout", "NetworkPolicy")] == ["rollouts", "networkpolicies"]


def test_objects_of_one_kind_are_each_asked_for(api: Any, cluster: Cluster) -> None:
    names, kinds = ("llm-gateway", "llm-engine"), (("v1", "ServiceAccount"), ("apps/v1", "Deployment"))
    wanted = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": name}} for version, kind in kinds for name in names
    ]
    there = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "llm-gateway", "labels": {"a": "b"}}}
    api.on("GET", "/api/v1/namespaces/demo/serviceaccounts/llm-gateway", there)
    found = live(cluster.client, wanted, "demo")
    assert (found["ServiceAccount/llm-gateway"] or {})["metadata"]["labels"] == {"a": "b"}
    assert [name for name, one in found.items() if one is None] == [
        "ServiceAccount/llm-engine",
        "Deployment/llm-gateway",
        "Deployment/llm-engine",
    ]


def test_only_what_git_still_names_and_argo_has_looked_at_is_told_as_stopped(
    api: Any, cluster: Cluster, rollout: Any, rollout_path: str
) -> None:
    for there, told in (({}, 1), ({"observed": False}, 0), ({"version": "v1.0.9"}, 0), ({"abort": False}, 0)):
        api.answers["GET", rollout_path] = []
        api.on("GET", rollout_path, rollout(**({"abort": True, "message": "slow"} | there)))
        found = stopped(cluster, "v1.1.0")
        assert len(found) == told
        assert all(line.endswith("(slow); the version before it runs") for line in found)
