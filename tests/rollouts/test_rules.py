"""The recording rules in promtool: each verdict, and the same figures as the independent calculation."""

import random
from dataclasses import replace

import pytest

from rollouts import evidence
from rollouts.evidence import Arm
from tests.rollouts.strata import Counts, Stratum, arm, clean, failing, labelled, verdict

CLOSE = 1e-9

GOOD = Stratum(canary=clean(150), stable=clean(3000))
BAD = Stratum(canary=failing(40, 20), stable=clean(800))


@pytest.mark.parametrize(
    ("stratum", "expected"),
    [
        pytest.param(GOOD, 1, id="a good canary passes"),
        pytest.param(BAD, -1, id="a bad canary fails"),
        pytest.param(Stratum(clean(110), clean(3000)), 0, id="110 clean requests are not enough"),
        pytest.param(Stratum(failing(200, 60), failing(4000, 1200)), 0, id="both arms bad blames nobody"),
        pytest.param(Stratum(), 0, id="no traffic decides nothing"),
        pytest.param(Stratum(failing(1, 1), clean(20)), 0, id="one isolated failure, the first request"),
        pytest.param(Stratum(failing(2, 2), clean(5000)), 0, id="two isolated failures"),
        pytest.param(Stratum(failing(300, 1), clean(5000)), 1, id="one isolated failure among 300"),
        pytest.param(Stratum(clean(150), failing(3000, 151)), 0, id="no pass while stable is unacceptable"),
        pytest.param(
            Stratum(Counts(started=600, ok=2, bad=6), clean(800)), 0, id="requests still running water a fail down"
        ),
        pytest.param(Stratum(Counts(started=600, ok=50), clean(800)), 0, id="requests still running do not pass"),
        pytest.param(
            Stratum(Counts(started=540, ok=20, bad=20, unjudged=500), clean(800)),
            -1,
            id="what is not judged counts not",
        ),
        pytest.param(Stratum(Counts(started=500, unjudged=500), clean(800)), 0, id="only requests that are not judged"),
    ],
)
def test_a_verdict(promtool, stratum, expected):
    assert not promtool.differences(stratum.series(), {verdict(stratum): expected})


def of_outcome(stratum: Stratum, outcome: str) -> dict[str, str]:
    if outcome == "upstream_5xx":
        return stratum.series()
    others = {name: value for name, value in stratum.series().items() if f'outcome="{outcome}"' not in name}
    return {name.replace("upstream_5xx", outcome): value for name, value in others.items()}


def test_every_outcome_counts_as_gates_yaml_says(promtool, gates):
    """Twenty of forty requests with this one outcome: a fail when it is bad, no evidence when it is not judged."""
    series: dict[str, str] = {}
    expected: dict[str, float | None] = {}
    for outcome in (*gates.outcomes.bad, *gates.outcomes.not_judged, "ok_of_a_new_kind"):
        stratum = replace(BAD, release=outcome)
        series |= of_outcome(stratum, outcome)
        expected[verdict(stratum)] = -1 if outcome in gates.outcomes.bad else 0
    assert not promtool.differences(series, expected)


def test_without_counters_there_is_no_verdict(promtool):
    assert not promtool.differences({}, {verdict(GOOD): None})


def test_a_counter_that_does_not_exist_at_zero_leaves_no_verdict(promtool):
    series = {name: values for name, values in GOOD.series().items() if "upstream_5xx" not in name}
    series = {name: values for name, values in series.items() if "stream_truncated" not in name}
    assert not promtool.differences(series, {verdict(GOOD): None})


def test_users_and_probes_are_judged_apart(promtool):
    probes = replace(GOOD, source="probe")
    assert not promtool.differences(BAD.series() | probes.series(), {verdict(BAD): -1, verdict(probes): 1})


def test_steps_are_judged_apart(promtool):
    earlier = replace(GOOD, step="1")
    assert not promtool.differences(BAD.series() | earlier.series(), {verdict(BAD): -1, verdict(earlier): 1})


def test_releases_and_attempts_are_judged_apart(promtool):
    again = replace(GOOD, release="v1.2.0-r4")
    assert not promtool.differences(BAD.series() | again.series(), {verdict(BAD): -1, verdict(again): 1})


def test_gateways_are_added_up(promtool):
    half = Stratum(clean(60), clean(500))
    series = {
        name.replace("}", f', pod="{pod}"}}'): value for pod in ("a", "b") for name, value in half.series().items()
    }
    assert not promtool.differences(series, {verdict(half): 1})


def test_a_counter_reset_takes_a_verdict_back(promtool):
    series = {name: f"{values.removesuffix('x60')}x8 0x60" for name, values in BAD.series().items()}
    assert not promtool.differences(series, {verdict(BAD): -1}, at="2m")
    assert not promtool.differences(series, {verdict(BAD): 0}, at="3m")


def test_slow_requests_are_bad_requests_of_their_own_gate(promtool):
    slow = Stratum(replace(clean(40), slow=20), clean(800))
    expected = {verdict(slow, "slow-ttft"): -1, verdict(slow, "bad-share"): 0}
    assert not promtool.differences(slow.series(), expected)


def test_the_slow_gate_does_not_pass_while_requests_wait_for_a_bound(promtool):
    users = replace(GOOD, canary=replace(clean(150), unmeasured=150))
    probes = replace(GOOD, source="probe")
    expected = {verdict(users, "slow-ttft"): 0, verdict(users): 1, verdict(probes, "slow-ttft"): 1}
    assert not promtool.differences(users.series() | probes.series(), expected)


def test_the_slow_gate_does_not_pass_where_nobody_says_how_many_wait(promtool):
    series = {name: value for name, value in GOOD.series().items() if "unmeasured" not in name}
    assert not promtool.differences(series, {verdict(GOOD, "slow-ttft"): 0, verdict(GOOD): 1})


@pytest.mark.parametrize(("unmeasured", "passes"), [(160, 0), (17, 0), (16, 1), (0, 1)])
def test_the_slow_gate_waits_for_a_gateway_without_a_bound_only_where_that_hides_requests(promtool, unmeasured, passes):
    """Both gateways answer as many, but few or none of what one of them answers is streamed."""

    def of(instance: str, stratum: Stratum) -> dict[str, str]:
        return {name.replace("}", f', instance="{instance}"}}'): value for name, value in stratum.series().items()}

    seeing = Stratum(clean(160), clean(500))
    other = Stratum(replace(clean(160), unmeasured=unmeasured), clean(160))
    expected = {verdict(seeing, "slow-ttft"): passes, verdict(seeing): 1}
    assert not promtool.differences(of("a", seeing) | of("b", other), expected)


@pytest.mark.parametrize(
    ("canary", "stable", "tripped"),
    [
        (failing(20, 5), clean(20), 1),
        (failing(20, 4), clean(20), 0),
        (failing(19, 19), clean(20), 0),
        (failing(20, 20), clean(19), 0),
        (failing(100, 50), failing(100, 2), 0),
        (failing(100, 15), failing(100, 15), 0),
        (clean(0), clean(0), 0),
    ],
)
def test_the_backstop(promtool, canary, stable, tripped):
    stratum = Stratum(canary, stable)
    assert not promtool.differences(stratum.series(), {f"sum({labelled('sluice:backstop', stratum)})": tripped})


def random_strata(seed: int, number: int) -> list[Stratum]:
    """Strata of all kinds, small and large, clean and bad, with requests that run or are not judged."""
    chance = random.Random(seed)  # noqa: S311 -- not a secret
    return [
        Stratum(random_counts(chance), random_counts(chance), release=f"v0.0.{index}-r1") for index in range(number)
    ]


def random_counts(chance: random.Random) -> Counts:
    ended = int(10 ** chance.uniform(0, 4)) - 1
    bad = min(ended, int(ended * chance.choice([0, 0.005, 0.01, 0.03, 0.1, 0.5, 1])) + chance.choice([0, 0, 1]))
    unjudged = chance.randrange(50)
    running = chance.choice([0, chance.randrange(100)])
    slow = int((ended - bad) * chance.choice([0, 0.01, 0.2]))
    return Counts(ended + unjudged + running, ended - bad, bad, unjudged, slow)


def agreement(strata: list[Stratum], gates) -> dict[str, float]:
    """Expressions that are 1 when the rules and the independent calculation agree."""
    expected = {}
    for stratum in strata:
        for name, gate in gates.gates.items():
            canary, stable = arm(stratum.canary, name), arm(stratum.stable, name)
            found = evidence.weighed(gate, gates, canary, stable)
            for of in ("tolerated", "stable", "unacceptable"):
                recorded = labelled("sluice:gate_evidence", stratum, gate=name, evidence=of)
                value = max(getattr(found, of), 1e-300)  # below, a double loses its digits
                expected[f"sum(abs(clamp_min({recorded}, 1e-300) / {value!r} - 1)) < bool {CLOSE}"] = 1
            expected[verdict(stratum, name)] = int(evidence.verdict(gate, gates, canary, stable))
        tripped = evidence.backstop(gates, arm(stratum.canary, "bad-share"), arm(stratum.stable, "bad-share"))
        expected[f"sum({labelled('sluice:backstop', stratum)})"] = int(tripped)
    return expected


def edges(gates) -> list[Stratum]:
    """Strata that lie just on this and on that side of each threshold."""
    gate, stable = gates.gates["bad-share"], arm(clean(2000), "bad-share")

    def tolerated(requests: int, bad: int) -> float:
        return evidence.weighed(gate, gates, Arm(requests, requests, bad), stable).tolerated

    tries = [(n, c) for n in range(10, 300, 3) for c in range(2, 12)]
    doubtful = [failing(n, c) for n, c in tries if 150 < tolerated(n, c) < 990][:4]
    stopped = [failing(n, c) for n, c in tries if 1010 < tolerated(n, c) < 1500][:4]
    passed = [clean(n) for n in range(100, 130, 3)]
    plain = [failing(n, c) for n, c in ((40, 12), (20, 5), (19, 5), (20, 4), (15, 4))]
    canaries = [(canary, clean(2000)) for canary in (*doubtful, *stopped, *passed, *plain)]
    stables = [(clean(200), failing(1000, bad)) for bad in (50, 51)]
    shared = [(failing(40, 12), failing(100, bad)) for bad in (1, 2, 40)]
    pairs = enumerate([*canaries, *stables, *shared])
    return [Stratum(canary, stable, release=f"v1.0.{index}-r1") for index, (canary, stable) in pairs]


def together(strata: list[Stratum]) -> dict[str, str]:
    return {name: values for stratum in strata for name, values in stratum.series().items()}


@pytest.mark.parametrize("seed", range(3))
def test_the_rules_agree_with_the_independent_calculation(promtool, gates, seed):
    strata = random_strata(seed, 50)
    verdicts = {value for expr, value in agreement(strata, gates).items() if "verdict" in expr}
    assert verdicts == {-1, 0, 1}, "the cases must reach every verdict"
    assert not promtool.differences(together(strata), agreement(strata, gates))


def test_the_rules_agree_on_both_sides_of_each_threshold(promtool, gates):
    strata = edges(gates)
    assert not promtool.differences(together(strata), agreement(strata, gates))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ln(1 + 0.01 *", "ln(1 + 0.011 *"),
        ("ln(1 + 0.05 *", "ln(1 + 0.04 *"),
        ('basis="started", arm="canary"},\n              700', 'basis="ended", arm="canary"},\n              700'),
        ('basis="ended", arm="canary"},\n              700', 'basis="started", arm="canary"},\n              700'),
        ("* 0 + 80.0", "* 0 + 8.0"),
        ("* 0 + 0.1,", "* 0 + 0.2,"),
        ('evidence="stable"} >= bool 1000', 'evidence="stable"} >= bool 0'),
        ('evidence="tolerated"} >= bool 1000', 'evidence="tolerated"} >= bool 100'),
        ('evidence="unacceptable"} >= bool 100', 'evidence="unacceptable"} >= bool 10'),
        ("<= bool 0.05", "<= bool 0.5"),
        ("upstream_5xx|", ""),
        ("client_4xx|prompt|", "client_4xx|"),
        ("> bool 0.2)", "> bool 0.4)"),
        ("< bool 0.02)", "< bool 0.2)"),
        (">= bool 20)", ">= bool 2)"),
    ],
)
def test_a_rule_with_a_fault_is_noticed(promtool, gates, old, new):
    assert old in promtool.rules
    promtool.rules = promtool.rules.replace(old, new)
    strata = random_strata(0, 10) + edges(gates)
    assert "got:" in promtool.differences(together(strata), agreement(strata, gates))
