"""What the cluster is asked before a verdict is kept: whether it is the release's, and why it is so."""

from pathlib import Path

from release import environment, verdict
from release.access import open_way
from release.cli import Target, target
from release.errors import ReleaseError


def withheld(folder: Path, part: str, release: str) -> str:
    """Why a part's promotion is not the release's yet, empty when it is.

    An engine's own counts where there is no cluster to ask, or none that answers: Argo tells it of a healthy Rollout.

    Raises:
        ReleaseError: a gateway's promotion, and the cluster does not answer.
    """
    if part == "engine" and not named(folder):
        return ""
    try:
        cluster = at(folder).cluster
        return verdict.withheld(part, cluster.state(), cluster.gateway.find(), release)
    except ReleaseError:
        if part == "gateway":
            raise
        return ""


def evidence(folder: Path) -> list[str]:
    """Why the cluster decided so, in sentences; a verdict is kept without them where the cluster does not answer."""
    from release.deploy import gates_at
    from release.explain import explain, gathered

    if not named(folder):
        return []
    try:
        there = at(folder)
        return explain(gathered(there.cluster, there.prometheus, gates_at(environment.ROOT / "rollouts/gates.yaml")))
    except ReleaseError as error:
        return [f"no figures: {error}"]


def named(folder: Path) -> bool:
    return folder.is_dir() and environment.named(folder)


def at(folder: Path) -> Target:
    open_way(folder)
    return target(str(folder), "", "llm", "")
