"""Stop a release by hand, with who and why, which Argo itself keeps no place for."""

import getpass
import os
import time
from collections.abc import Callable

from release.cluster import Cluster, State
from release.errors import Refused, TimedOut

GONE = 120.0  # seconds for the canary's pods to go: Argo waits abortScaleDownDelaySeconds, then they drain


def abort(cluster: Cluster, why: str, who: str = "") -> State:
    """Send all traffic back to stable, of the gateway too; raises Refused when no release is in progress."""
    return stopped(cluster, why, who)[0][1]


def stopped(cluster: Cluster, why: str, who: str = "") -> list[tuple[Cluster, State]]:
    running = moving(cluster)
    if not running:
        raise nothing_to_stop(cluster.state())
    for part, at in running:
        part.abort(at.release, f"{who or author()}: {why}")
    return running


def nothing_to_stop(state: State) -> Refused:
    if not state.stable or not state.served:
        return Refused(
            f"{state.rollout}: a first install has no stable to go back to; release the next, or `helm uninstall`"
        )
    return Refused(f"{state.rollout}: no release in progress; {state.version} is {state.phase or 'unknown'}")


def moving(cluster: Cluster) -> list[tuple[Cluster, State]]:
    """The Rollouts that are between hand-over and verdict: the engine's, the gateway's."""
    found = [(part, part.find()) for part in (cluster, cluster.gateway)]
    return [(part, state) for part, state in found if state is not None and state.in_progress]


def supersede(cluster: Cluster, version: str, pause: float = 1.0, clock: Callable[[], float] = time.monotonic) -> State:
    """Abort the release in progress and wait until its pods are gone: on a full node the next one needs their place."""
    running, started = stopped(cluster, f"superseded by {version}"), clock()
    state = running[0][1]
    while clock() - started < GONE:
        if all(gone(part.state()) for part, _ in running):
            return state
        time.sleep(pause)
    raise TimedOut(f"{state.version} was aborted, but its pods are still there after {GONE:.0f} s; look at them, retry")


def gone(now: State) -> bool:
    return now.abort and now.weight == 0 and now.updated == 0


def author() -> str:
    """Who stops it: the person behind the workflow, else the login."""
    return os.environ.get("GITHUB_ACTOR") or getpass.getuser()
