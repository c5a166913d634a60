from collections.abc import Callable
from typing import Any

import pytest

from release.prometheus import Prometheus, Silent

Add = Callable[..., None]


def test_the_figures_of_a_gate_come_together(prometheus: Prometheus, metrics: Any, samples: Add) -> None:
    samples("sluice:gate_n", 24, arm="canary", basis="started")
    samples("sluice:gate_n", 20, arm="canary", basis="ended")
    samples("sluice:gate_n", 480, arm="stable", basis="started")
    samples("sluice:gate_bad", 9, arm="canary")
    samples("sluice:gate_bad", 1, arm="stable")
    samples("sluice:gate_evidence", 5e8, evidence="tolerated")
    samples("sluice:gate_evidence", 4e6, evidence="stable")
    samples("sluice:gate_verdict", -1)
    (one,) = prometheus.evidence("demo/llm-engine", "v1.1.0-r2")
    assert (one.n, one.c, one.stable_n, one.stable_c) == (24, 9, 480, 1)
    assert (one.against, one.word) == (4e6, "fail")
    assert 'release="v1.1.0-r2"' in metrics.heard("GET")[0]["query"]["query"][0]


def test_what_could_not_be_measured_is_the_canarys(prometheus: Prometheus, samples: Add) -> None:
    samples("sluice:gate_unmeasured", 300, arm="canary")
    samples("sluice:gate_unmeasured", 9000, arm="stable")
    samples("sluice:gate_verdict", 0)
    (one,) = prometheus.evidence("r", "v")
    assert (one.unmeasured, one.hidden) == (300, ", 300 not measured yet")


def test_what_is_not_a_number_says_nothing(prometheus: Prometheus, samples: Add) -> None:
    samples("sluice:gate_verdict", "NaN")
    assert prometheus.evidence("demo/llm-engine", "v1.1.0-r2") == []


def test_steps_come_in_the_order_of_their_weights(prometheus: Prometheus, samples: Add) -> None:
    for step in ("25", "5", "100", "0"):
        samples("sluice:gate_verdict", 0, step=step)
    assert [one.step for one in prometheus.evidence("r", "v")] == ["0", "5", "25", "100"]


def test_the_past_is_asked_for_when_a_release_is_over(prometheus: Prometheus, metrics: Any, samples: Add) -> None:
    samples("sluice:gate_verdict", 1)
    prometheus.evidence("r", "v", past="6h")
    assert metrics.heard("GET")[0]["query"]["query"][0].startswith("last_over_time(")


def test_a_range_has_its_ends_and_step(prometheus: Prometheus, metrics: Any) -> None:
    result = [{"metric": {}, "values": [[1, "2"]]}]
    metrics.on("GET", "/api/v1/query_range", {"status": "success", "data": {"result": result}})
    assert prometheus.range("up", 10, 20, 5) == result
    assert metrics.heard("GET")[0]["query"] == {"query": ["up"], "start": ["10"], "end": ["20"], "step": ["5"]}


def test_an_error_is_silence_with_a_reason(prometheus: Prometheus, metrics: Any) -> None:
    metrics.on("GET", "/api/v1/query", {"status": "error", "error": "parse error"}, code=400)
    with pytest.raises(Silent, match="parse error"):
        prometheus.instant("(")


def test_no_answer_is_silence(prometheus: Prometheus, metrics: Any) -> None:
    metrics.close()
    with pytest.raises(Silent, match="does not answer"):
        prometheus.instant("up")
