"""Stop a release by hand, with who and why, which Argo itself keeps no place for."""

import getpass
import os
import time
from collections.abc import Callable

from release.cluster import Cluster, State
from release.errors import Refused, TimedOut

GONE = 120.0  # seconds for the canary's pods to go: Argo waits abortScaleDownDelaySeconds, then they drain


def abort(cluster: Cluster, why: str, who: str = "") -> State:
    """Send all traffic back to stable; raises Refused when no release is in progress."""
    state = cluster.state()
    if not state.stable:
        raise Refused(f"{state.rollout}: a first install has no stable to go back to; `helm uninstall` removes it")
    if not state.in_progress:
        raise Refused(f"{state.rollout}: no release in progress; {state.version} is {state.phase or 'unknown'}")
    cluster.abort(state.release, f"{who or author()}: {why}")
    return state


def supersede(cluster: Cluster, version: str, pause: float = 1.0, clock: Callable[[], float] = time.monotonic) -> State:
    """Abort the release in progress and wait until its pods are gone: on a full node the next one needs their place."""
    state, started = abort(cluster, f"superseded by {version}"), clock()
    while clock() - started < GONE:
        now = cluster.state()
        if now.abort and now.weight == 0 and now.updated == 0:
            return state
        time.sleep(pause)
    raise TimedOut(f"{state.version} was aborted, but its pods are still there after {GONE:.0f} s; look at them, retry")


def author() -> str:
    """Who stops it: the person behind the workflow, else the login."""
    return os.environ.get("GITHUB_ACTOR") or getpass.getuser()
