from pathlib import Path

import pytest

from app.budget import Budget

README = Path(__file__).parents[2] / "app" / "README.md"


def spent(budget: Budget) -> int:
    times = 0
    while budget.spend():
        times += 1
    return times


def test_a_burst_is_there_from_the_start_and_no_more() -> None:
    assert spent(Budget(0.1)) == Budget.BURST


def test_the_burst_is_told() -> None:
    assert f"and {Budget.BURST:g} more of each gateway pod" in README.read_text()


def test_each_request_of_stable_earns_its_share() -> None:
    budget = Budget(0.1)
    spent(budget)
    for _ in range(25):
        budget.earn()
    assert spent(budget) == 2
    assert budget.left == pytest.approx(0.5)


def test_what_is_not_spent_is_not_saved_beyond_the_burst() -> None:
    budget = Budget(0.1)
    for _ in range(1000):
        budget.earn()
    assert spent(budget) == Budget.BURST


def test_without_a_share_nothing_is_earned() -> None:
    budget = Budget(0)
    spent(budget)
    for _ in range(1000):
        budget.earn()
    assert spent(budget) == 0
