from typing import Any

import httpx2

from lab import document
from lab.document import Released
from lab.timeline import Moment
from release.prometheus import Prometheus


def record(ended: float, arm: str = "stable", outcome: str = "ok") -> dict[str, Any]:
    return {
        "intended": ended - 1,
        "started": ended - 1,
        "ended": ended,
        "arm": arm,
        "outcome": outcome,
        "source": "user",
        "rescued": False,
    }


def moment(at: float, weight: int, verdict: str = "waiting") -> Moment:
    return Moment(at, "v1.2.0", "3", weight, 0, "Progressing", verdict == "aborted", verdict)


BAD = Released("v1.2.0", 100, 130, "aborted", [moment(101, 0), moment(110, 5), moment(125, 0, "aborted")])


def test_a_release_is_judged_from_its_moments_and_the_requests() -> None:
    judged = BAD.judged([record(120, "canary", "upstream_5xx")])

    assert (judged.max_weight, judged.seconds, judged.detect_seconds) == (5, 30, 5)


def test_outcomes_are_counted_per_arm_and_five_seconds() -> None:
    found = document.buckets(
        [record(101), record(104), record(104, "canary", "upstream_5xx"), record(106, outcome="client_cancel")], 100
    )

    assert [(one.t, one.arm, one.ok, one.bad, one.not_judged) for one in found] == [
        (0, "canary", 0, 1, 0),
        (0, "stable", 2, 0, 0),
        (5, "stable", 0, 0, 1),
    ]


def test_a_request_without_an_answer_is_stables() -> None:
    assert document.buckets([record(101, arm="", outcome="connect_error")], 100)[0].arm == "stable"


def test_the_timeline_leaves_the_first_install_out() -> None:
    first = Released("v1.0.0", 90, 99, "promoted", [moment(99, 100)])

    assert [one.version for one in document.timeline([first, BAD], [], 90).weights] == ["v1.2.0"]


def test_evidence_is_that_of_the_step_being_judged() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert 'release="v1.2.0-r3"' in request.url.params["query"]
        labels = {"gate": "bad-share", "source": "user", "evidence": "tolerated"}
        series = [
            {"metric": {**labels, "step": "1"}, "values": [[110, "3"], [112, "3"]]},
            {"metric": {**labels, "step": "5"}, "values": [[112, "2000"]]},
        ]
        return httpx2.Response(200, json={"status": "success", "data": {"result": series}})

    prometheus = Prometheus("http://p", httpx2.Client(transport=httpx2.MockTransport(answer)))

    (series,) = document.evidence(prometheus, "demo/llm-engine", [BAD], 100)

    assert [(point.t, point.step, point.tolerated) for point in series.points] == [(10, "1", 3), (12, "5", 2000)]
