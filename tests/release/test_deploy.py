import gzip
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from release import environment
from release.cluster import Cluster
from release.deploy import Deploy, template
from release.errors import InProgress, Refused, Unreachable, Unsigned
from release.helm import Helm

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def deploy(folder: Path, cluster: Cluster, helm: Any, gates: Path, lines: list[str]) -> Callable[[], Deploy]:
    return lambda: Deploy(environment.load(folder), cluster, Helm(folder, "llm", "demo"), gates, lines.append)


def running(folder: Path) -> str:
    return environment.load(folder).release.images.engine


def test_a_first_install_is_handed_over_without_waiting(deploy: Callable[[], Deploy], api: Any, helm: Any) -> None:
    assert deploy().hand_over(replace=False)
    (asked,) = helm.asked("upgrade")
    assert not [word for word in asked if word.startswith(("--wait", "--atomic"))]
    assert asked[asked.index("--namespace") + 1] == "demo"


def test_values_and_release_go_to_helm_together(deploy: Callable[[], Deploy], api: Any, helm: Any) -> None:
    deploy().hand_over(replace=False)
    sent = (helm.at / "values").read_text()
    assert '"replicas": 1' in sent
    assert '"version": "v1.1.0"' in sent


def test_what_nobody_signed_is_refused_before_a_cluster_is_asked(
    deploy: Callable[[], Deploy], api: Any, helm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsigned(_: Deploy) -> str:
        raise Unsigned("no signatures found")

    monkeypatch.setattr(Deploy, "signatures", unsigned)
    with pytest.raises(Unsigned):
        deploy().hand_over(replace=False)

    assert (api.asked, helm.asked("upgrade")) == ([], [])


def test_the_difference_is_shown_before_the_upgrade(
    deploy: Callable[[], Deploy], api: Any, helm: Any, healthy: Make, rollout_path: str, lines: list[str]
) -> None:
    api.on("GET", rollout_path, healthy())
    helm.deployed("engine:old")
    assert deploy().hand_over(replace=False)
    assert "-  image: engine:old" in lines
    assert "+  image: engine:new" in lines


def test_an_identical_release_that_runs_is_left_alone(
    deploy: Callable[[], Deploy], api: Any, helm: Any, healthy: Make, folder: Path, rollout_path: str
) -> None:
    found = healthy()
    found["spec"]["template"]["spec"]["containers"][0]["image"] = running(folder)
    api.on("GET", rollout_path, found)
    helm.deployed("engine:new")
    assert not deploy().hand_over(replace=False)
    assert helm.asked("upgrade") == []


@pytest.mark.parametrize(("there", "put_back"), [("git", False), ("hand", True), (None, True)])
def test_what_a_hand_has_changed_is_put_back_by_the_same_release(
    deploy: Callable[[], Deploy],
    api: Any,
    helm: Any,
    healthy: Make,
    folder: Path,
    rollout_path: str,
    lines: list[str],
    there: str | None,
    put_back: bool,
) -> None:
    found = healthy()
    found["spec"]["template"]["spec"]["containers"][0]["image"] = running(folder)
    api.on("GET", rollout_path, found)
    carried = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "llm-words"}, "data": {"said": "git"}}
    both = "\n---\n".join(json.dumps(one) for one in (helm.manifest("engine:new"), carried))
    helm.prints("template", both)
    helm.prints("status", json.dumps(helm.revision("engine:new") | {"manifest": both}))
    if there:
        api.on("GET", "/api/v1/namespaces/demo/configmaps/llm-words", carried | {"data": {"said": there}})
    assert deploy().hand_over(replace=False) is put_back
    assert len(helm.asked("upgrade")) == put_back
    assert any("changed by hand: ConfigMap/llm-words" in line for line in lines) is put_back


def test_an_identical_release_that_was_stopped_is_not_tried_again(
    deploy: Callable[[], Deploy], api: Any, helm: Any, rollout: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout(abort=True, message="metric bad-share Failed"))
    helm.deployed("engine:new")
    with pytest.raises(Refused, match=r"was stopped here .*bad-share"):
        deploy().hand_over(replace=False)
    assert helm.asked("upgrade") == []


def test_another_release_in_progress_is_refused(
    deploy: Callable[[], Deploy], api: Any, helm: Any, rollout: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout())
    helm.deployed("engine:old")
    with pytest.raises(InProgress, match="--supersede"):
        deploy().hand_over(replace=False)
    assert helm.asked("upgrade") == []
    assert api.paths("PATCH") == []


def test_superseding_aborts_the_old_one_first(
    deploy: Callable[[], Deploy], api: Any, helm: Any, rollout: Make, rollout_path: str
) -> None:
    gone = rollout(abort=True, updatedReplicas=0, canary={})
    api.on("GET", rollout_path, rollout(), rollout(), rollout(), gone)
    api.on("PATCH", rollout_path, {})
    api.on("PATCH", f"{rollout_path}/status", {})
    helm.deployed("engine:old")
    assert deploy().hand_over(replace=True)
    assert api.paths("PATCH") == [rollout_path, f"{rollout_path}/status"]
    assert len(helm.asked("upgrade")) == 1


def refused(deploy: Callable[[], Deploy], api: Any, helm: Any, said: str) -> None:
    """One line, and the cluster was never asked to change."""
    with pytest.raises(Refused, match=said) as error:
        deploy().hand_over(replace=True)
    assert "\n" not in str(error.value)
    assert {method for method, _, _ in api.asked} <= {"GET"}
    assert helm.asked("upgrade") == []


def test_gates_with_an_unknown_key_are_refused(deploy: Callable[[], Deploy], api: Any, helm: Any, gates: Path) -> None:
    gates.write_text(gates.read_text() + "surprise: 1\n")
    refused(deploy, api, helm, r"gates\.yaml: surprise: unknown key")


def test_gates_other_than_the_releases_are_refused(
    deploy: Callable[[], Deploy], api: Any, helm: Any, gates: Path
) -> None:
    gates.write_text(gates.read_text() + "# changed\n")
    refused(deploy, api, helm, r"release\.yaml: release\.gates is .* write the latter")


def test_an_image_that_is_not_in_the_registry_is_refused(
    deploy: Callable[[], Deploy], api: Any, helm: Any, registry: Any
) -> None:
    registry.answers.clear()
    refused(deploy, api, helm, "not in the registry; push it")


def test_values_that_the_schema_refuses_are_refused(deploy: Callable[[], Deploy], api: Any, helm: Any) -> None:
    helm.prints(
        "template", "Error: values don't meet the specifications of the schema(s):\nllm:\n- unknown key replica"
    )
    refused(deploy, api, helm, r"schema.*unknown key replica; correct values\.yaml")


def test_a_cluster_that_is_away_is_found_before_helm_is_asked(
    deploy: Callable[[], Deploy], api: Any, helm: Any
) -> None:
    made = deploy()
    api.close()
    with pytest.raises(Unreachable, match="check KUBECONFIG"):
        made.hand_over(replace=False)
    assert helm.asked("upgrade") == helm.asked("status") == []


def test_a_stopped_release_with_other_pods_may_be_tried(
    deploy: Callable[[], Deploy], api: Any, helm: Any, rollout: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout(abort=True))
    helm.deployed("engine:old")
    new = helm.manifest("engine:new")
    new["spec"]["template"] = {"changed": True}
    helm.prints("template", json.dumps(new))
    assert deploy().hand_over(replace=False)


def killed(helm: Any, api: Any) -> None:
    """Helm's third revision is pending, and nobody works on it."""
    told = helm.revision("engine:new")
    told["info"]["status"] = "pending-upgrade"
    helm.prints("status", json.dumps(told))
    path = "/api/v1/namespaces/demo/secrets/sh.helm.release.v1.llm.v3"
    zipped = b64encode(gzip.compress(json.dumps(told).encode()))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {"release": b64encode(zipped).decode()}}
    api.on("GET", path, secret)
    api.on("PATCH", path, secret)


def test_a_deployment_killed_in_mid_helm_goes_on_under_the_lock_alone(
    deploy: Callable[[], Deploy], api: Any, helm: Any, rollout: Make, rollout_path: str, folder: Path
) -> None:
    killed(helm, api)
    found = rollout()
    found["spec"]["template"]["spec"]["containers"][0]["image"] = running(folder)
    api.on("GET", rollout_path, found)  # Argo had got it already, and judges it
    with pytest.raises(InProgress, match="revision 3, or was killed there"):
        deploy().hand_over(replace=False)
    assert api.paths("PATCH") == []
    mine = replace(deploy(), alone=True)
    assert mine.hand_over(replace=False)
    assert [path.rsplit("/", 1)[-1] for path in api.paths("PATCH")] == ["sh.helm.release.v1.llm.v3"]
    assert len(helm.asked("upgrade")) == 1


def test_a_killed_deployment_of_another_version_still_waits_for_the_verdict(
    deploy: Callable[[], Deploy], api: Any, helm: Any, rollout: Make, rollout_path: str
) -> None:
    killed(helm, api)
    api.on("GET", rollout_path, rollout(version="v1.0.9"))
    with pytest.raises(InProgress, match=r"v1\.0\.9 is being judged"):
        replace(deploy(), alone=True).hand_over(replace=False)
    assert helm.asked("upgrade") == []


def test_a_killed_deployment_whose_release_was_stopped_is_not_tried_again(
    deploy: Callable[[], Deploy], api: Any, helm: Any, rollout: Make, rollout_path: str
) -> None:
    killed(helm, api)
    api.on("GET", rollout_path, rollout(abort=True, message="metric bad-share Failed"))
    with pytest.raises(Refused, match="was stopped here"):
        replace(deploy(), alone=True).hand_over(replace=False)
    assert helm.asked("upgrade") == []


def test_a_gateway_in_progress_is_a_release_in_progress(
    deploy: Callable[[], Deploy],
    api: Any,
    helm: Any,
    healthy: Make,
    gateway: Make,
    rollout_path: str,
    gateway_path: str,
) -> None:
    api.on("GET", rollout_path, healthy())
    api.on("GET", gateway_path, gateway())
    helm.deployed("engine:old")
    with pytest.raises(InProgress, match=r"llm-gateway: v1\.1\.0 is being judged"):
        deploy().hand_over(replace=False)
    assert helm.asked("upgrade") == []


def test_a_gateway_that_was_stopped_is_not_tried_again(
    deploy: Callable[[], Deploy],
    api: Any,
    helm: Any,
    healthy: Make,
    gateway: Make,
    rollout_path: str,
    gateway_path: str,
) -> None:
    api.on("GET", rollout_path, healthy())
    api.on("GET", gateway_path, gateway(abort=True, message="metric backstop Failed"))
    helm.deployed("engine:new")
    with pytest.raises(Refused, match=r"was stopped here .*backstop"):
        deploy().hand_over(replace=False)


def test_each_rollout_is_compared_with_its_own_template() -> None:
    def manifests(engine: str, gateway: str) -> list[dict[str, Any]]:
        names = {"llm-gateway": gateway, "llm-engine": engine}
        return [
            {"kind": "Rollout", "metadata": {"name": name}, "spec": {"template": text}} for name, text in names.items()
        ]

    assert (template(manifests("e", "g")), template(manifests("e", "g"), "gateway")) == ("e", "g")


@pytest.mark.parametrize("part", ["engine", "gateway"])
def test_after_a_first_install_that_never_served_the_next_version_goes_without_steps(
    deploy: Callable[[], Deploy],
    api: Any,
    helm: Any,
    healthy: Make,
    failed_install: Make,
    rollout_path: str,
    gateway_path: str,
    lines: list[str],
    part: str,
) -> None:
    for path, one in ((rollout_path, "engine"), (gateway_path, "gateway")):
        api.on("GET", path, failed_install(version="v1.0.0") if one == part else healthy(version="v1.0.0"))
    assert deploy().hand_over(replace=False)
    assert '"fast": true' in (helm.at / "values").read_text()
    assert any("v1.0.0 never served here" in line for line in lines)


def test_a_first_install_that_still_starts_and_a_version_that_served_are_followed_by_steps(
    deploy: Callable[[], Deploy], api: Any, helm: Any, healthy: Make, failed_install: Make, rollout_path: str
) -> None:
    for before in (failed_install(phase="Progressing", message=""), healthy(version="v1.0.0")):
        api.answers["GET", rollout_path] = []
        api.on("GET", rollout_path, before)
        deploy().hand_over(replace=False)
        assert "fast" not in (helm.at / "values").read_text()
