import itertools
from typing import Any

from lab import inside, paths

IMAGE = "registry.example/tools@sha256:" + "a" * 64
THINGS = list(inside.manifests(IMAGE))
PODS: dict[str, Any] = {
    one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in THINGS if one["kind"] == "Deployment"
}


def test_the_controller_and_every_observer_is_a_pod_of_the_same_image() -> None:
    assert set(PODS) == {"argo-rollouts", "prometheus", "alertmanager", "slack"}
    assert {pod["containers"][0]["image"] for pod in PODS.values()} == {IMAGE}


def test_everything_is_marked_as_ours_and_stands_in_our_namespace() -> None:
    for one in THINGS:
        assert one["metadata"]["labels"] == inside.OURS, one
        if one["kind"] not in ("Namespace", "ClusterRole", "ClusterRoleBinding"):
            assert one["metadata"]["namespace"] == paths.NAMESPACE, one


def test_only_who_asks_the_api_has_a_token_and_nobody_is_root() -> None:
    tokens = {name for name, pod in PODS.items() if pod["automountServiceAccountToken"]}

    assert tokens == {"argo-rollouts", "prometheus"}
    assert all(pod["securityContext"]["runAsNonRoot"] for pod in PODS.values())


def test_nobody_reads_secrets_of_the_whole_cluster() -> None:
    rules = [rule for one in THINGS if one["kind"] == "ClusterRole" for rule in one["rules"]]

    assert rules
    assert not [rule for rule in rules if {"secrets", "*"} & {*rule["resources"], *rule["verbs"]}]


def test_every_binding_names_a_role_and_an_account_that_exist() -> None:
    names = {(one["kind"], one["metadata"]["name"]) for one in THINGS}
    for one in THINGS:
        if one["kind"].endswith("Binding"):
            assert (one["roleRef"]["kind"], one["roleRef"]["name"]) in names
            assert {("ServiceAccount", who["name"]) for who in one["subjects"]} <= names


def test_no_volume_is_mounted_into_another() -> None:
    for pod in PODS.values():
        folders = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
        assert not [(a, b) for a, b in itertools.permutations(folders, 2) if b.startswith(f"{a}/")]


def test_every_mounted_configuration_is_one_of_ours() -> None:
    names = {(one["kind"], one["metadata"]["name"]) for one in THINGS}
    for pod in PODS.values():
        for volume in pod["volumes"]:
            for source in volume.get("projected", {}).get("sources", [volume]):
                if "configMap" in source:
                    assert ("ConfigMap", source["configMap"]["name"]) in names
                if "secret" in source:
                    assert ("Secret", source["secret"]["name"]) in names
