from typing import Any

import pytest

from lab import departures
from lab.departures import Departures

PODS = "/api/v1/namespaces/demo/pods"
GOING = {"deletionTimestamp": "2026-01-01T00:00:43Z", "deletionGracePeriodSeconds": 33}
TOLD = 1767225610.0  # 2026-01-01T00:00:10Z


def record(started: float, ended: float, stream: bool = True) -> dict[str, Any]:
    return {"started": TOLD + started, "ended": TOLD + ended, "stream": stream}


def test_a_pod_is_told_to_end_its_grace_before_its_deletion(cluster: Any, api: Any) -> None:
    pods = [{"metadata": {"name": "new"}}, {"metadata": {"name": "old", **GOING}}]
    api.on("GET", PODS, {"metadata": {}, "items": pods})
    seen = Departures(cluster)
    seen.look()
    assert seen.told == {"old": TOLD}
    [query] = [heard["query"] for _, at, heard in api.asked if at == PODS]
    assert query["labelSelector"] == ["app.kubernetes.io/component=gateway"]


@pytest.mark.parametrize(
    ("one", "spans"),
    [
        (record(-2, 4.5), True),
        (record(-2, 3.5), False),  # over before the process is told to end, for all we know
        (record(0.5, 9), False),  # begun later: at another pod
        (record(-2, 4.5, stream=False), False),
    ],
)
def test_a_stream_counts_when_it_was_open_before_and_after(one: dict[str, Any], spans: bool) -> None:
    assert departures.faults([one], {"old": TOLD}, 3) == ([] if spans else ["no stream was open while old went"])


def test_a_gateway_that_nobody_left_proves_nothing() -> None:
    assert departures.faults([record(-2, 9)], {}, 3) == ["no pod of the gateway was told to end"]
