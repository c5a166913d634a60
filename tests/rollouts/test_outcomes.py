from app import outcome
from rollouts import gates


def test_the_gates_judge_the_outcomes_that_the_gateway_counts() -> None:
    found = gates.load(gates.PATH).outcomes

    assert set(found.bad) == set(outcome.BAD)
    assert set(found.not_judged) == set(outcome.NOT_JUDGED)
