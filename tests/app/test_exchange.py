from collections import Counter

import pytest

from app.arms import Arms
from app.baseline import WANTED, Baseline
from app.checks import Checker
from app.exchange import Ledger
from app.metrics import Metrics


def arms(weight: float = 5, release: str = "v2-r2") -> Arms:
    return Arms("n/llm", release, "v2", True, weight, ("http://s",), ("http://c",))


def made(metrics: Metrics) -> Ledger:
    return Ledger(metrics, Baseline(metrics, {"ttft": 0.05, "tpot": 0.05}), Checker(metrics), max_per_user=5)


@pytest.fixture
def ledger() -> Ledger:
    return made(Metrics(60))


def outcomes(ledger: Ledger) -> dict[tuple[str, str], float]:
    samples = [s for m in ledger.metrics.requests.collect() for s in m.samples if s.name.endswith("_total")]
    found: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        found[sample.labels["step"], sample.labels["outcome"]] += sample.value
    return {where: number for where, number in found.items() if number}


def test_a_request_is_counted_where_it_started(ledger: Ledger) -> None:
    exchange = ledger.begin(arms(1), "canary", "user", "ann")
    ledger.begin(arms(5), "canary", "user", "bob")
    exchange.end("ok")

    assert outcomes(ledger) == {("1", "ok"): 1}


def test_a_request_ends_once(ledger: Ledger) -> None:
    exchange = ledger.begin(arms(), "canary", "user", "ann")
    exchange.end("upstream_5xx")
    exchange.hang_up()
    exchange.end("ok")

    assert outcomes(ledger) == {("5", "upstream_5xx"): 1}


def test_what_an_answer_waited_for_its_client_is_not_its_engines_time(ledger: Ledger) -> None:
    exchange = ledger.begin(arms(), "stable", "user", "ann")
    exchange.content()
    exchange.began, exchange.unread = exchange.began - 20, 19.5
    exchange.end("ok", {"in": 1, "out": 11})

    [seconds] = ledger.baseline.seen["user", "tpot"]
    assert 0.05 <= seconds < 0.5


def test_five_requests_of_a_user_are_judged_per_arm_and_step(ledger: Ledger) -> None:
    for _ in range(7):
        ledger.begin(arms(), "canary", "user", "ann").end("upstream_5xx")
    ledger.begin(arms(), "stable", "user", "ann").end("ok")
    ledger.begin(arms(25), "canary", "user", "ann").end("ok")

    assert outcomes(ledger) == {
        ("5", "upstream_5xx"): 5,
        ("5", "over_user_cap"): 2,
        ("5", "ok"): 1,
        ("25", "ok"): 1,
    }


def test_probes_and_the_nameless_have_no_cap(ledger: Ledger) -> None:
    for _ in range(7):
        ledger.begin(arms(), "canary", "probe", "ann").end("ok")
        ledger.begin(arms(), "canary", "user", "").end("ok")

    assert outcomes(ledger) == {("5", "ok"): 14}


def test_a_client_that_goes_away_is_not_held_against_the_arm(ledger: Ledger) -> None:
    ledger.begin(arms(), "canary", "user", "ann").hang_up()

    assert outcomes(ledger) == {("5", "client_cancel"): 1}


def test_a_client_that_waited_beyond_the_slow_bound_for_nothing_is(ledger: Ledger) -> None:
    for _ in range(WANTED):
        ledger.baseline.add("stable", "user", "ttft", 0.001)
    ledger.baseline.begin(arms())
    exchange = ledger.begin(arms(), "canary", "user", "ann")
    exchange.began -= 1

    exchange.hang_up()

    assert outcomes(ledger) == {("5", "timeout_ttft"): 1}


def test_the_oldest_request_under_way_is_known(ledger: Ledger) -> None:
    exchange = ledger.begin(arms(), "canary", "user", "ann")
    exchange.began -= 10
    assert ledger.oldest("canary") >= 10

    exchange.end("ok")
    assert ledger.oldest("canary") == 0


def test_a_request_that_outlives_its_release_leaves_no_counters_behind() -> None:
    metrics = Metrics(0)
    ledger = made(metrics)
    metrics.begin(arms())
    exchange = ledger.begin(arms(), "canary", "user", "ann")
    metrics.begin(arms(release="v3-r3"))

    exchange.end("ok")
    metrics.begin(arms(25, release="v3-r3"))

    assert outcomes(ledger) == {}
