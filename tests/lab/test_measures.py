from typing import Any

import pytest

from lab import measures
from lab.timeline import Moment


def request(at: float = 10.0, arm: str = "stable", outcome: str = "ok", **more: Any) -> dict[str, Any]:
    record = {"intended": at, "started": at, "ended": at + 1, "source": "user", "rescued": False}
    return {**record, "arm": arm, "outcome": outcome, **more}


def moment(at: float, weight: int, abort: bool = False) -> Moment:
    return Moment(at, "v1.1.0", "2", weight, 0, "Progressing", abort, "aborted" if abort else "waiting")


def test_failures_are_told_apart_by_arm_and_cut_streams_are_counted() -> None:
    records = [request(), request(outcome="upstream_5xx"), request(arm="canary", outcome="stream_truncated")]

    assert measures.noticed(records) == measures.Noticed(total=3, failed=2, failed_stable=1, cut_streams=1)


def test_a_request_without_an_answer_counts_as_stable() -> None:
    assert measures.noticed([request(arm="", outcome="connect_error")]).failed_stable == 1


def test_probes_are_no_users() -> None:
    assert measures.noticed([request(source="probe", outcome="upstream_5xx")]).total == 0


def test_detection_counts_from_the_end_of_the_first_bad_canary_request_to_weight_zero() -> None:
    records = [request(20, "canary"), request(30, "canary", "upstream_5xx"), request(35, "canary", "upstream_5xx")]
    moments = [moment(5, 0), moment(15, 5), moment(41, 0, abort=True)]

    assert measures.detect_seconds(records, moments) == 10


def test_a_hang_counts_from_its_start() -> None:
    records = [request(20, "canary", "timeout_ttft", ended=50.0)]

    assert measures.detect_seconds(records, [moment(5, 5), moment(60, 0, abort=True)]) == 40


def test_a_rescued_request_counts_though_its_user_saw_nothing() -> None:
    assert measures.first_bad([request(20, rescued=True)], 5) == 21


def test_what_failed_before_the_release_began_is_not_held_against_it() -> None:
    assert measures.first_bad([request(4, "canary", "upstream_5xx")], 5) is None


@pytest.mark.parametrize("moments", [[], [moment(5, 100)]])
def test_nothing_is_detected_where_nothing_was_stopped(moments: list[Moment]) -> None:
    assert measures.detect_seconds([request(20, "canary", "upstream_5xx")], moments) is None
