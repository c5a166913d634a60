from collections.abc import Callable
from typing import Any

import pytest

from release.cluster import Cluster
from release.errors import Aborted, TimedOut
from release.prometheus import Prometheus
from release.watch import Event, Snapshot, Watch

Make = Callable[..., dict[str, Any]]


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.seen: list[Snapshot] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def show(self, snapshot: Snapshot) -> None:
        self.seen.append(snapshot)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


def watch(cluster: Cluster, screen: Kept, prometheus: Prometheus | None = None, **more: Any) -> Watch:
    return Watch(cluster, prometheus, screen, **({"pause": 0.01, "timeout": 5} | more))


def test_a_canary_is_followed_to_its_promotion(
    api: Any, cluster: Cluster, rollout: Make, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout(observed=False), rollout(), rollout(currentStepIndex=7), healthy())
    kept = Kept()
    assert watch(cluster, kept).verdict().version == "v1.1.0"
    weights = [event.figures["step"] for event in kept.events if event.kind == "weight"]
    assert weights == [4, 7, 4]
    assert kept.events[-1].figures["verdict"] == "promoted"


def test_an_abort_ends_it_with_the_controllers_reason(
    api: Any, cluster: Cluster, rollout: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout(), rollout(abort=True, phase="Degraded", message="metric bad-share Failed"))
    kept = Kept()
    with pytest.raises(Aborted, match="metric bad-share Failed"):
        watch(cluster, kept).verdict()
    assert kept.events[-1].figures["verdict"] == "aborted"


def test_a_stale_healthy_status_after_the_hand_over_promotes_nothing(
    api: Any, cluster: Cluster, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, healthy(observed=False))
    with pytest.raises(TimedOut, match="controller has not looked at it"):
        watch(cluster, Kept(), timeout=0.1).verdict()


def test_an_api_server_that_goes_away_does_not_end_the_watch(
    api: Any, cluster: Cluster, rollout: Make, healthy: Make, rollout_path: str
) -> None:
    away = {"kind": "Status", "code": 503, "message": "away"}
    api.on("GET", rollout_path, rollout())
    api.on("GET", rollout_path, away, away, code=503)
    api.on("GET", rollout_path, healthy())
    kept = Kept()
    watch(cluster, kept).verdict()
    assert [kind for kind in kept.kinds() if kind in ("away", "back", "verdict")] == ["away", "back", "verdict"]


def test_a_release_that_was_replaced_is_not_called_promoted(
    api: Any, cluster: Cluster, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, healthy(version="v1.2.0"))
    with pytest.raises(Aborted, match=r"replaced by v1\.2\.0"):
        watch(cluster, Kept(), image="engine@sha256:other").verdict()


def test_a_watch_changes_nothing(api: Any, cluster: Cluster, rollout: Make, healthy: Make, rollout_path: str) -> None:
    api.on("GET", rollout_path, rollout(), healthy())
    watch(cluster, Kept()).verdict()
    assert {method for method, _, _ in api.asked} == {"GET"}


def test_a_gate_is_told_when_its_verdict_comes(
    api: Any,
    cluster: Cluster,
    prometheus: Prometheus,
    samples: Callable[..., None],
    rollout: Make,
    healthy: Make,
    rollout_path: str,
) -> None:
    api.on("GET", rollout_path, rollout(), rollout(), healthy())
    samples("sluice:gate_n", 24, arm="canary", basis="started")
    samples("sluice:gate_bad", 9, arm="canary")
    samples("sluice:gate_verdict", -1)
    kept = Kept()
    watch(cluster, kept, prometheus).verdict()
    gates = [event for event in kept.events if event.kind == "gate"]
    assert [(one.figures["n"], one.figures["c"], one.figures["verdict"]) for one in gates] == [(24, 9, "fail")]


def test_a_prometheus_that_is_away_costs_only_the_figures(
    api: Any, cluster: Cluster, metrics: Any, prometheus: Prometheus, rollout: Make, healthy: Make, rollout_path: str
) -> None:
    metrics.close()
    api.on("GET", rollout_path, rollout(), healthy())
    kept = Kept()
    assert watch(cluster, kept, prometheus).verdict().phase == "Healthy"
    assert kept.kinds().count("silent") == 1


def test_a_first_install_has_no_steps(
    api: Any, cluster: Cluster, rollout: Make, healthy: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout(stableRS="", canary={}), healthy())
    kept = Kept()
    watch(cluster, kept).verdict()
    assert "first install" in kept.events[1].text


def test_a_first_install_whose_pods_never_come_ends_the_watch_and_says_that_nothing_is_before_it(
    api: Any, cluster: Cluster, failed_install: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, failed_install(phase="Progressing", message="more replicas"), failed_install())
    kept = Kept()
    with pytest.raises(Aborted, match=r"never served, and no version before it is there.*timed out"):
        watch(cluster, kept).verdict()
    assert any(event.text == "first install: no steps, waiting until its pods are ready" for event in kept.events)


def test_a_first_install_behind_a_gateway_that_never_comes_is_stopped_too(
    api: Any, cluster: Cluster, healthy: Make, failed_install: Make, rollout_path: str, gateway_path: str
) -> None:
    broken = failed_install()
    broken["metadata"]["name"] = "llm-gateway"
    api.on("GET", rollout_path, healthy())
    api.on("GET", gateway_path, broken)
    with pytest.raises(Aborted, match="demo/llm-gateway: ProgressDeadlineExceeded"):
        watch(cluster, Kept()).verdict()


def deployment(ready: int, observed: int = 2) -> dict[str, Any]:
    status = {"observedGeneration": observed, "updatedReplicas": 2, "availableReplicas": ready}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"name": "x"}}}
    return {"items": [{"metadata": {"name": "llm-gateway", "generation": 2}, "spec": spec, "status": status}]}


def test_a_promoted_engine_behind_no_gateway_is_waited_for(
    api: Any, cluster: Cluster, healthy: Make, rollout_path: str, deployments_path: str
) -> None:
    api.on("GET", rollout_path, healthy())
    api.answers["GET", deployments_path] = []
    api.on("GET", deployments_path, deployment(0, observed=1), deployment(0), deployment(0), deployment(2))
    kept = Kept()
    watch(cluster, kept).verdict()

    said = [event.text for event in kept.events if event.kind == "message"]
    assert said == [
        "the engine is promoted, but llm-gateway has not been looked at",
        "the engine is promoted, but llm-gateway has 0 of 2 pods ready",
    ]
    assert kept.events[-1].figures["verdict"] == "promoted"


def test_a_gateway_that_never_comes_is_named_when_time_is_up(
    api: Any, cluster: Cluster, healthy: Make, rollout_path: str, deployments_path: str
) -> None:
    api.on("GET", rollout_path, healthy())
    api.answers["GET", deployments_path] = []
    api.on("GET", deployments_path, deployment(1))

    with pytest.raises(TimedOut, match="but llm-gateway has 1 of 2 pods ready"):
        watch(cluster, Kept(), timeout=0.1).verdict()


STOPPED = {"abort": True, "phase": "Degraded", "message": "metric backstop Failed"}


def test_a_gateway_that_was_stopped_is_named_and_not_the_engine(
    api: Any, cluster: Cluster, rollout: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    waits = {"currentStepIndex": 0, "updatedReplicas": 0, "canary": {}}
    api.on("GET", rollout_path, rollout(**waits), rollout(**waits), rollout(**waits), rollout(**waits, abort=True))
    api.on("GET", gateway_path, gateway(), gateway(), gateway(**STOPPED))
    kept = Kept()
    with pytest.raises(Aborted, match=r"v1\.1\.0 stopped with its gateway, .* did not begin: metric backstop Failed"):
        watch(cluster, kept).verdict()
    said = [event.text for event in kept.events if event.kind == "gateway"]
    assert said == ["gateway: 1 of 2 pods are v1.1.0; it goes first", "gateway: v1.1.0 aborted"]


def test_a_release_of_the_gateway_alone_is_stopped_with_it(
    api: Any, cluster: Cluster, healthy: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    api.on("GET", rollout_path, healthy())
    api.on("GET", gateway_path, gateway(), gateway(**STOPPED))
    with pytest.raises(Aborted, match="stopped with its gateway"):
        watch(cluster, Kept()).verdict()


def test_a_release_is_promoted_once_its_gateway_is_too(
    api: Any, cluster: Cluster, healthy: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    api.on("GET", rollout_path, healthy())
    done = gateway(phase="Healthy", stableRS="new")
    api.on("GET", gateway_path, *[gateway()] * 4, done)
    kept = Kept()
    watch(cluster, kept).verdict()
    said = [event.text for event in kept.events if event.kind in ("message", "gateway")]
    assert said[0] == "gateway: 1 of 2 pods are v1.1.0; it goes first"
    assert "the engine is promoted, but llm-gateway has 1 of 2 new pods" in said


def test_figures_are_the_gateways_until_the_engine_begins(
    api: Any,
    cluster: Cluster,
    metrics: Any,
    prometheus: Prometheus,
    rollout: Make,
    healthy: Make,
    gateway: Make,
    rollout_path: str,
    gateway_path: str,
) -> None:
    api.on("GET", rollout_path, rollout(canary={}), rollout(), healthy())
    api.on("GET", gateway_path, gateway(), gateway(phase="Healthy", stableRS="new"))
    watch(cluster, Kept(), prometheus).verdict()
    asked = [heard["query"]["query"][0] for heard in metrics.heard("GET")]
    assert ["demo/llm-gateway" in one for one in asked] == [True, False, False]
