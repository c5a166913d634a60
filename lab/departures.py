"""When the gateway's pods were told to end, and which users' streams were open then and for a good while after."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import httpx2
from lightkube.resources.core_v1 import Pod

from lab.follower import Follower
from release.cluster import Cluster

ROUNDING = 1  # seconds: Kubernetes writes whole ones


class Departures(Follower):
    """Looks at the gateway's pods; `told` is when each that goes was told so, in unix seconds."""

    pause = 0.5

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster
        self.told: dict[str, float] = {}

    def look(self) -> None:
        wanted: dict[str, Any] = {"app.kubernetes.io/component": "gateway"}
        with contextlib.suppress(httpx2.HTTPError):  # an API server that is away leaves a gap
            for pod in self.cluster.client.list(Pod, namespace=self.cluster.namespace, labels=wanted):
                meta = pod.metadata
                if meta is not None and meta.deletionTimestamp is not None:
                    dead = meta.deletionTimestamp.timestamp()
                    self.told[str(meta.name)] = dead - (meta.deletionGracePeriodSeconds or 0)


def spanning(records: Iterable[Mapping[str, Any]], told: float, seconds: float) -> int:
    """How many streams were open then and still that much later, when the pod's process is told to end."""
    until = told + seconds + ROUNDING
    return sum(one["stream"] and one["started"] < told and one["ended"] > until for one in records)


def faults(records: list[dict[str, Any]], told: Mapping[str, float], seconds: float) -> list[str]:
    """In words, what a run without a cut stream does not prove."""
    if not told:
        return ["no pod of the gateway was told to end"]
    return [f"no stream was open while {pod} went" for pod, at in told.items() if not spanning(records, at, seconds)]
