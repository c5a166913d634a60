from app import outcome
from rollouts.gates import load


def test_an_outcome_is_one_thing() -> None:
    assert len(set(outcome.ALL)) == len(outcome.ALL)
    assert outcome.JUDGED.isdisjoint(outcome.NOT_JUDGED)
    assert set(outcome.ALL) == outcome.JUDGED | set(outcome.NOT_JUDGED)


def test_the_gates_call_bad_what_the_gateway_counts_as_bad() -> None:
    gates = load().outcomes
    assert set(gates.bad) == set(outcome.BAD)
    assert set(gates.not_judged) == set(outcome.NOT_JUDGED)
