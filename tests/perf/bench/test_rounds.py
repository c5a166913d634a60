import os

import pytest

from perf.bench import rounds, servers
from perf.bench.client import Answer
from perf.bench.rounds import Raw
from perf.errors import NotStarted


def test_nothing_of_a_round_is_thrown_away_and_the_median_is_quoted() -> None:
    raw = Raw()
    for value in (1.0, 9.0, 2.0):
        raw.add("latency.direct", {"p50_ms": value})

    assert raw.median("latency.direct", "p50_ms") == 2.0
    assert len(raw.rounds["latency.direct"]) == 3


async def test_every_way_is_measured_in_each_round_and_the_order_turns() -> None:
    seen: list[str] = []

    async def one(name: str, port: int) -> None:
        seen.append(name)

    await rounds.turned({"a": 1, "b": 2}, 2, one)
    assert seen == ["a", "b", "b", "a"]


def test_a_failure_has_no_latency() -> None:
    assert rounds.failed([Answer(0.0, status=200), Answer(0.0, status=502)]) == 1
    with pytest.raises(NotStarted, match="1 of 2 requests"):
        rounds.good([Answer(0.0, status=200), Answer(0.0, status=502)])


def test_a_stream_that_failed_or_ended_early_is_counted() -> None:
    found = [Answer(0.0, status=200, frames=7), Answer(0.0, status=200, frames=6), Answer(0.0, status=429)]

    assert rounds.cut(found, 5) == 2


@pytest.mark.parametrize(
    ("change", "rate"),
    [({}, 700.0), ({"failed": 1}, 0.0), ({"p99_ms": 60.0}, 0.0)],
)
def test_a_rate_counts_when_nothing_failed_and_its_p99_is_good(change: dict[str, float], rate: float) -> None:
    raw = Raw()
    for clients in rounds.CLIENTS:
        raw.add(f"load.gateway.{clients}", {"failed": 0, "p99_ms": 5.0, "rps": 700.0} | change)

    assert rounds.best_rate(raw, "gateway") == rate


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "REQUESTS": 3,
        "USERS": 4,
        "STREAMED": 3,
        "LOAD_SECONDS": 0.1,
        "ITL_STREAMS": 2,
        "ITL_FRAMES": 4,
        "ITL_MS": 1,
        "PACED_STREAMS": 2,
        "PACED_SECONDS": 0.05,
        "OPEN_STREAMS": 5,
        "OPEN_MS": 1,
        "OPEN_SECONDS": 0.0,
    }.items():
        monkeypatch.setattr(rounds, name, value)


async def test_all_that_is_measured_against_a_small_server(small: None) -> None:
    raw, cores = Raw(), [min(os.sched_getaffinity(0))]
    with servers.blank(cores) as blank:
        ways = {"direct": blank.port}
        await rounds.latency(raw, ways, 2)
        await rounds.first_token(raw, ways, 1)
        await rounds.between_tokens(raw, ways, 1)
        await rounds.throughput(raw, {"direct": blank}, 1, cores, blank.url + "/v1/chat/completions")
        await rounds.paced_frames(raw, blank, 1)
        await rounds.all_frames(raw, blank.port, 100)
        await rounds.memory(raw, blank)
        await rounds.first_users(raw, blank.port, "m")
        await rounds.tokens(raw, ways, 1, "m", clients=2)

    assert len(raw.rounds["latency.direct"]) == 2
    assert [one["ms"] >= one["ttft_ms"] > 0 for one in raw.rounds["users"]] == [True] * 4
    assert raw.median("lost", "lost") == 0
    assert raw.median("lost", "frames") >= 100
    assert raw.median("memory", "failed") == 0
    assert raw.median("tokens.direct", "per_second") > 0
    assert {name for name in raw.rounds if name.startswith("load.")} == {
        f"load.{name}.{clients}" for name in ("direct", "bare_client") for clients in rounds.CLIENTS
    }
