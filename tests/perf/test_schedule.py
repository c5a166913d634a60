import itertools
from pathlib import Path

import pytest

from perf.schedule import Phase, Plan, load, rounds


def phase(seed: int = 1, *, even: bool = False) -> Phase:
    return Phase("one", "http://127.0.0.1:1", rate=50, seconds=20, seed=seed, even=even)


def test_a_seed_is_a_schedule() -> None:
    assert phase(1).arrivals() == phase(1).arrivals() != phase(2).arrivals()


def test_people_come_at_the_asked_rate_and_not_evenly() -> None:
    times = phase().arrivals()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]

    assert 900 < len(times) < 1100
    assert times == sorted(times)
    assert max(gaps) > 3 * (sum(gaps) / len(gaps))


def test_even_ones_come_at_equal_distances() -> None:
    assert phase(even=True).arrivals()[:3] == [0, 0.02, 0.04]


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan("m", 512, (phase(), phase(2, even=True)), answer_tokens=8)
    plan.save(tmp_path / "plan.json")

    assert load(tmp_path / "plan.json") == plan


@pytest.mark.parametrize(("number", "order"), [(1, "AB"), (2, "ABBA"), (3, "ABBAAB")])
def test_what_drifts_hits_both_alike(number: int, order: str) -> None:
    assert rounds(["A", "B"], number) == list(order)
