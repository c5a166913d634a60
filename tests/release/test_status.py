import io
from collections.abc import Callable
from typing import Any

from rich.console import Console

from release.cluster import Cluster
from release.prometheus import Prometheus
from release.status import shown, status

Make = Callable[..., dict[str, Any]]


def test_a_script_gets_verdict_weight_and_gates(
    api: Any, cluster: Cluster, prometheus: Prometheus, samples: Callable[..., None], rollout: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout())
    samples("sluice:gate_verdict", 1)
    found = status(cluster, prometheus)
    assert (found["verdict"], found["weight"], found["in_progress"]) == ("waiting", 5, True)
    assert [(gate["gate"], gate["verdict"]) for gate in found["gates"]] == [("bad-share", "pass")]


def test_people_see_where_it_stands_and_why(api: Any, cluster: Cluster, rollout: Make, rollout_path: str) -> None:
    api.on("GET", rollout_path, rollout(abort=True, message="metric bad-share Failed"))
    out = io.StringIO()
    shown(cluster, None, Console(file=out, width=200))
    assert "v1.1.0-r2: aborted" in out.getvalue()
    assert "all traffic is on the stable version" in out.getvalue()
    assert "metric bad-share Failed" in out.getvalue()


def test_missing_figures_of_a_release_in_progress_are_said(
    api: Any, cluster: Cluster, rollout: Make, rollout_path: str
) -> None:
    api.on("GET", rollout_path, rollout())
    out = io.StringIO()
    shown(cluster, None, Console(file=out, width=200))
    assert "no Prometheus named" in out.getvalue()


def test_the_gateways_part_is_told_beside_the_engines(
    api: Any, cluster: Cluster, rollout: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    api.on("GET", rollout_path, rollout())
    api.on("GET", gateway_path, gateway(), gateway(abort=True, message="metric backstop Failed"))
    out = io.StringIO()
    shown(cluster, None, Console(file=out, width=200))
    assert "1 of 2 pods are v1.1.0; it goes first" in out.getvalue()
    found = status(cluster, None)["gateway"]
    assert (found["verdict"], found["pods"], found["message"]) == ("aborted", 1, "metric backstop Failed")
