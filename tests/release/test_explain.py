import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from release.cluster import Cluster, Run, State
from release.explain import Case, explain, gathered, percent, plain
from release.prometheus import FAIL, PASS, UNDECIDED, Evidence, Prometheus
from rollouts.gates import load

Make = Callable[..., State]


def evidence(verdict: int, source: str = "user", step: str = "5", **more: Any) -> Evidence:
    values = {"tolerated": 5e8, "stable": 4e6, "unacceptable": 120.0}
    return Evidence("bad-share", source, step, 24, 9, 480, 1, verdict, values, **more)


def case(state: State, *found: Evidence, runs: tuple[Run, ...] = (), silent: str = "") -> Case:
    return Case(state, runs, found, silent, load())


def test_a_stop_names_gate_stratum_step_shares_and_evidence(state: Make) -> None:
    text = " ".join(explain(case(state(abort=True, message="Metric failed"), evidence(FAIL))))
    for words in (
        "v1.1.0-r2 was stopped",
        "Gate bad-share failed for users at the 5 % step",
        "9 of 24 judged canary requests were bad (38 %)",
        "stable had 1 of 480 (0.21 %)",
        "e-value is 4.0 million and stops at 1,000",
        "tolerated 1 %",
        "Metric failed",
    ):
        assert words in text


def test_a_promotion_names_what_passed(state: Make) -> None:
    told = explain(case(state(phase="Healthy", stableRS="new"), evidence(PASS)))
    assert told[0] == "v1.1.0-r2 was promoted: every gate passed at every step."
    assert "e-value 120, which passes at 100" in told[1]


def test_a_step_that_only_probes_passed_is_said(state: Make) -> None:
    found = evidence(PASS, "probe", "25"), evidence(UNDECIDED, "user", "25")
    told = explain(case(state(phase="Healthy", stableRS="new"), *found))
    assert told[-1] == "At 25 % there were too few user requests: the probes' pass stood alone."


def test_a_first_install_had_no_steps(state: Make) -> None:
    assert "without steps" in explain(case(state(phase="Healthy", stableRS="new")))[0]


@pytest.mark.parametrize(
    ("metric", "said"),
    [("no-data", "noData"), ("bad-share-undecided", "undecided"), ("backstop", "The backstop tripped")],
)
def test_a_stop_without_a_failed_gate_names_the_limit(state: Make, metric: str, said: str) -> None:
    run = Run("run-1", "Step", 2, "Failed", "assessed Failed", {metric: "Failed"})
    told = explain(case(state(abort=True), runs=(run,)))
    assert said in told[1]
    assert told[2] == "AnalysisRun run-1 (step 2): assessed Failed."


def test_a_wait_says_what_is_missing(state: Make) -> None:
    told = explain(case(state(), evidence(PASS, step="1"), evidence(UNDECIDED)))
    assert told[0] == "v1.1.0-r2 has no verdict yet: canary at 5 % (step 5 of 10)."
    assert len(told) == 2
    assert "e-value 120 of 100 to pass, 4.0 million of 1,000 to stop" in told[1]


def test_a_wait_for_what_cannot_be_measured_yet_says_so(state: Make) -> None:
    told = explain(case(state(), replace(evidence(UNDECIDED), unmeasured=300)))
    assert re.search(r"judged canary requests were bad \(.*\), 300 not measured yet, stable had", told[1])


def test_missing_figures_are_said(state: Make) -> None:
    assert (
        explain(case(state(abort=True), silent="x does not answer"))[-1] == "There are no figures: x does not answer."
    )


def test_everything_is_gathered_from_cluster_and_prometheus(
    api: Any,
    cluster: Cluster,
    prometheus: Prometheus,
    samples: Callable[..., None],
    rollout: Callable[..., dict[str, Any]],
    rollout_path: str,
    runs_path: str,
) -> None:
    api.on("GET", rollout_path, rollout(abort=True))
    api.on("GET", runs_path, {"metadata": {}, "items": []})
    samples("sluice:gate_verdict", -1)
    found = gathered(cluster, prometheus, load())
    assert [one.verdict for one in found.evidence] == [FAIL]
    assert found.state.abort


def test_figures_are_written_for_people() -> None:
    assert [plain(value) for value in (0.034, 120, 1000, 2.1e6, 3e20)] == [
        "0.034",
        "120",
        "1,000",
        "2.1 million",
        "more than a thousand trillion",
    ]
    assert [percent(share) for share in (0.002, 0.375)] == ["0.2 %", "38 %"]


def test_a_release_that_was_stopped_with_its_gateway_says_so_first(state: Make) -> None:
    failed = Evidence("bad-share", "probe", "0", 20, 20, 20, 0, FAIL, {"tolerated": 5e8, "stable": 4e6})
    gateway = case(state(abort=True, message="metric backstop Failed"), failed)
    told = explain(replace(case(state(abort=True)), gateway=gateway))
    assert told[0] == "v1.1.0 was stopped with its gateway, and the engine's release did not begin."
    assert "20 of 20 judged canary requests were bad" in " ".join(told)


def test_while_the_gateway_is_judged_its_evidence_is_told(state: Make) -> None:
    gateway = case(state(canary={}), evidence(UNDECIDED, "probe", "0"))
    told = explain(replace(case(state()), gateway=gateway))
    assert "its gateway goes first, 1 of 1 pods are new" in told[0]
    assert "Gate bad-share has not enough evidence for probes" in told[1]


def test_a_promoted_gateway_changes_nothing_in_the_engines_story(state: Make) -> None:
    done = state(phase="Healthy", stableRS="new")
    alone = explain(case(done, evidence(PASS)))
    assert explain(replace(case(done, evidence(PASS)), gateway=case(done))) == alone


def test_a_release_that_left_the_engine_as_it_was_is_told_by_its_gateways_gates(state: Make) -> None:
    done = state(phase="Healthy", stableRS="new")
    whole = evidence(UNDECIDED, "probe", "100")  # there for every version, also where it judged nothing
    told = explain(replace(case(done, whole), gateway=case(done, whole, evidence(PASS, "probe", "0"))))
    assert len(told) == 2
    assert told[0] == "v1.1.0-r2 was promoted: it changed the gateway alone, and the gateway's gates passed."
    assert told[1].startswith("Gate bad-share passed for probes at the 0 % step")


def test_a_first_install_that_never_served_is_not_said_to_have_left_all_traffic_on_stable(failed_install: Any) -> None:
    told = explain(case(State.of(failed_install())))
    assert told[0] == "v1.1.0-r1 was a first install and never served."
    assert "timed out progressing" in told[1]
    engine = case(State.of(failed_install(phase="Healthy", message="", conditions=[{"type": "Healthy"}])))
    gateway = case(State.of(failed_install()))
    assert explain(replace(engine, gateway=gateway))[0] == "Nobody reached v1.1.0, for its gateway was never ready."
