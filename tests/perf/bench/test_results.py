import pytest

from perf.bench import results, rounds
from perf.bench.results import TARGETS
from perf.bench.rounds import Raw


def test_every_target_knows_which_side_is_good() -> None:
    assert TARGETS["added_p50_ms"].met(0.9)
    assert not TARGETS["added_p50_ms"].met(1.1)
    assert TARGETS["frames_core"].met(7000)
    assert not TARGETS["frames_core"].met(5000)
    assert TARGETS["frames_core"].missed_by(3000) == "missed by 50%"


def rounds_of(gateway: list[float], direct: list[float]) -> Raw:
    raw = Raw()
    for name, values in (("gateway", gateway), ("direct", direct)):
        for value in values:
            raw.add(f"latency.{name}", {"p50_ms": value, "p99_ms": value})
    return raw


def test_one_lost_frame_is_missed() -> None:
    assert results.missed(results.states({"lost_frames": 1}, Raw())) == ["lost_frames"]
    assert results.missed(results.states({"lost_frames": 0}, Raw())) == []


def test_one_failure_among_the_open_streams_is_missed() -> None:
    for failed, missed in ((0, []), (1, ["failed_streams"])):
        raw = Raw()
        raw.add("memory", {"before_mb": 90, "open_mb": 140, "failed": failed})
        assert results.missed(results.states(results.figures(raw), raw)) == missed


def test_what_was_added_is_the_median_of_what_each_round_added() -> None:
    raw = rounds_of([1.5, 9.5, 1.6], [1.0, 9.0, 1.2])  # the second round was on a busy machine

    assert results.added(raw, "latency", "p50_ms") == pytest.approx(0.5)
    assert results.noise(raw)["added_p50_ms"] == pytest.approx((0.4, 0.5))


@pytest.mark.parametrize(
    ("gateway", "said"),
    [
        ([1.3, 1.2, 1.4], "met"),
        ([0.9, 0.98, 1.1], "met"),  # noise about nothing, all of it within the target
        ([0.8, 0.9, 0.99], "met"),  # below it in each round, by little
        ([0.5, 0.6, 0.4], "unclear"),  # no gateway is so much faster than none
        ([0.8, 0.9, 2.1], "unclear"),  # a round above the target
        ([0.5, 0.6, 4.0], "unclear"),  # one that may hide what is too much
        ([2.5, 2.6, 2.7], "missed by 60%"),
    ],
)
def test_below_nothing_is_met_only_close_to_it(gateway: list[float], said: str) -> None:
    raw = rounds_of(gateway, [1.0, 1.0, 1.0])
    found = results.figures(raw)

    assert results.states({"added_p50_ms": found["added_p50_ms"]}, raw)["added_p50_ms"].partition(":")[0] == said


def test_the_bound_is_what_the_bare_halves_cost_one_after_the_other() -> None:
    raw = Raw()
    for name, cost in (("bare_asgi", 0.02), ("bare_client", 0.18), ("gateway", 0.4)):
        for clients in rounds.CLIENTS:
            raw.add(f"load.{name}.{clients}", {"cpu_ms": cost})

    assert results.cpu_share_of_bound(raw) == pytest.approx(0.5)


def test_the_share_of_the_bound_is_that_of_rates_round_by_round() -> None:
    raw = Raw()
    few, many = rounds.CLIENTS
    for slow in (1, 1, 7):  # the last round on a machine that others use too
        for name, rate in (("bare_asgi", 3000), ("bare_client", 1500), ("gateway", 600)):
            raw.add(f"load.{name}.{few}", {"rps": rate / slow})
            raw.add(f"load.{name}.{many}", {"rps": rate / slow / 2})
    raw.add(f"load.bare_asgi.{few}", {"rps": 3000})
    raw.add(f"load.bare_asgi.{many}", {"rps": 1500})
    for name, rate in (("bare_client", 1500), ("gateway", 60)):  # and one that disturbed the gateway alone
        for clients in rounds.CLIENTS:
            raw.add(f"load.{name}.{clients}", {"rps": rate})

    assert results.bound_share(raw) == pytest.approx(0.6)


def test_the_first_request_is_compared_with_those_about_the_hundredth() -> None:
    raw = Raw()
    for number in range(rounds.USERS):
        raw.add("users", {"ms": 50.0 if number == 0 else 20.0 if number < 90 else 10.0, "ttft_ms": 1.0})
    found = results.figures(raw)

    assert (found["first_request_ms"], found["hundredth_request_ms"]) == (50.0, 10.0)


def test_tokens_are_compared_round_by_round() -> None:
    raw = Raw()
    for direct, gateway in ((100, 99), (50, 49.5), (80, 40)):
        raw.add("tokens.direct", {"per_second": direct})
        raw.add("tokens.gateway", {"per_second": gateway})

    assert results.toks_ratio(raw) == pytest.approx(0.99)


def test_what_was_not_measured_is_said_and_is_null() -> None:
    document = results.document({"rps_core": 1200.0}, Raw(), {"commit": "c0ffee"}, [])

    assert document["rps_core"] == 1200.0
    assert document["toks_ratio"] is None
    assert document["targets"] == {"rps_core": "met"}
    assert "not measured" in results.table({"rps_core": 1200.0}, {"rps_core": "met"})
