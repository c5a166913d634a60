import math
import random

import pytest

from rollouts import evidence
from rollouts.evidence import Arm, Verdict


def clean(requests: float) -> Arm:
    return Arm(requests, requests, 0)


def judged(gates, canary: Arm, stable: Arm) -> Verdict:
    return evidence.verdict(gates.gates["bad-share"], gates, canary, stable)


def test_about_a_hundred_clean_requests_pass(gates):
    passes = next(n for n in range(1000) if judged(gates, clean(n), clean(1000)) is Verdict.PASS)
    assert 90 <= passes <= 130


def test_nothing_is_decided_without_requests(gates):
    assert judged(gates, clean(0), clean(0)) is Verdict.NOT_ENOUGH


def test_a_canary_that_fails_all_is_stopped_within_ten_requests(gates):
    assert judged(gates, Arm(10, 10, 10), clean(200)) is Verdict.FAIL


def test_one_or_two_isolated_failures_never_stop(gates):
    for requests in range(2, 400):
        for bad in (1, 2):
            assert judged(gates, Arm(requests, requests, bad), clean(10_000)) is not Verdict.FAIL


def test_an_outage_of_both_arms_does_not_blame_the_canary(gates):
    assert judged(gates, Arm(200, 200, 60), Arm(4000, 4000, 1200)) is Verdict.NOT_ENOUGH


def test_nothing_passes_while_stable_is_unacceptable(gates):
    assert judged(gates, clean(1000), Arm(1000, 1000, 51)) is Verdict.NOT_ENOUGH
    assert judged(gates, clean(1000), Arm(1000, 1000, 50)) is Verdict.PASS


def test_nothing_passes_while_the_gate_cannot_measure(gates):
    gate = gates.gates["slow-ttft"]
    assert evidence.verdict(gate, gates, clean(1000), clean(1000), measured=False) is Verdict.NOT_ENOUGH


def test_requests_that_have_not_ended_count_against_failing_only(gates):
    assert judged(gates, Arm(1000, 20, 0), clean(1000)) is Verdict.NOT_ENOUGH
    assert judged(gates, Arm(8, 8, 6), clean(1000)) is Verdict.FAIL
    assert judged(gates, Arm(600, 8, 6), clean(1000)) is Verdict.NOT_ENOUGH


def test_large_evidence_does_not_overflow(gates):
    found = evidence.weighed(gates.gates["bad-share"], gates, Arm(1e6, 1e6, 1e6), clean(1e6))
    assert math.isfinite(found.tolerated)
    assert found.tolerated > 1e300


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_the_mean_of_an_e_value_is_one_when_nothing_is_wrong(gates, share):
    """What makes it an e-value: summed over all ways that 40 requests can end, each with its probability."""
    rates = [1.5, 2, 3, 5, 8, 15, 30, 80]
    total = sum(
        math.comb(40, bad) * share**bad * (1 - share) ** (40 - bad) * evidence.against_share(bad, 40, share, rates)
        for bad in range(41)
    )
    assert total == pytest.approx(1)


def test_the_mean_against_stable_is_one_when_the_arms_are_alike(gates):
    """Given 12 bad requests, the canary's number is binomial with its share of the requests."""
    t = 30 / 230
    total = sum(
        math.comb(12, bad)
        * t**bad
        * (1 - t) ** (12 - bad)
        * evidence.against_stable(Arm(30, 30, bad), Arm(200, 200, 12 - bad), [1.5, 3, 80])
        for bad in range(13)
    )
    assert total == pytest.approx(1)


def test_good_releases_are_not_stopped_however_often_one_looks(gates):
    """1 % bad on both arms, looked at after every request: at most 1 in 1000 may be stopped."""
    chance = random.Random(7)  # noqa: S311 -- not a secret
    stopped = 0
    for _ in range(60):
        bad = stable = 0
        for requests in range(1, 301):
            bad += chance.random() < 0.01
            stable += chance.random() < 0.01
            both = Arm(requests, requests, bad), Arm(requests, requests, stable)
            if requests % 10 == 0 and judged(gates, *both) is Verdict.FAIL:
                stopped += 1
                break
    assert stopped == 0


def test_the_backstop_needs_requests_on_both_arms_and_a_stable_that_is_well(gates):
    bad = Arm(20, 20, 5)
    assert evidence.backstop(gates, bad, clean(20))
    assert not evidence.backstop(gates, Arm(20, 20, 4), clean(20)), "20 % is not above 20 %"
    assert not evidence.backstop(gates, Arm(19, 19, 19), clean(20))
    assert not evidence.backstop(gates, bad, clean(19))
    assert not evidence.backstop(gates, bad, Arm(100, 100, 2))
