"""Where a release stands, once: for a person, or as one JSON object for a script."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from release.cluster import Cluster, State
from release.prometheus import Prometheus
from release.screen import table
from release.watch import figures, judged, progress


def status(cluster: Cluster, prometheus: Prometheus | None) -> dict[str, Any]:
    """The Rollout, its verdict and the gates' figures; raises NotInstalled or Unreachable."""
    state, gateway = cluster.state(), cluster.gateway.find()
    evidence, silent = figures(prometheus, judged(state, gateway))
    return {
        "rollout": state.rollout,
        "release": state.release,
        "verdict": state.verdict(),
        "in_progress": state.in_progress,
        "phase": state.phase,
        "weight": state.weight,
        "step": state.step,
        "steps": state.steps,
        "message": state.reason or state.message,
        "images": list(state.images),
        "gateway": part(gateway) if gateway else None,
        "gates": [asdict(one) | {"verdict": one.word} for one in evidence],
        "silent": silent,
    }


def part(gateway: State) -> dict[str, Any]:
    return {
        "rollout": gateway.rollout,
        "release": gateway.release,
        "verdict": gateway.verdict(),
        "pods": gateway.updated,
        "replicas": gateway.replicas,
        "message": gateway.reason or gateway.message,
    }


def shown(cluster: Cluster, prometheus: Prometheus | None, console: Console) -> None:
    """The same for people."""
    state, gateway = cluster.state(), cluster.gateway.find()
    evidence, silent = figures(prometheus, judged(state, gateway))
    for line in lines(state) + (beside(gateway) if gateway else []):
        console.print(Text(line), soft_wrap=True)
    if evidence:
        console.print(table(evidence))
    elif state.in_progress or (gateway and gateway.in_progress):
        console.print(Text(silent or "no figures yet"), soft_wrap=True)


def lines(state: State) -> list[str]:
    found = [f"{state.rollout}  {state.release}: {state.verdict()}", f"  {progress(state)}"]
    if state.abort and state.served:
        found[1] = "  all traffic is on the stable version"
    if state.reason or state.message:
        found.append(f"  {state.reason or state.message}")
    return found + [f"  image {image}" for image in state.images]


def beside(gateway: State) -> list[str]:
    found = [f"{gateway.rollout}  {gateway.release}: {gateway.verdict()}"]
    if gateway.in_progress:
        found.append(f"  {gateway.updated} of {gateway.replicas} pods are {gateway.version}; it goes first")
    if gateway.abort and (gateway.reason or gateway.message):
        found.append(f"  {gateway.reason or gateway.message}")
    return found + [f"  image {image}" for image in gateway.images]
