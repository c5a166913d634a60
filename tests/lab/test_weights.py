from lab.weights import Sample, faults


def sample(weight: int, canary: int, unanswered: int = 0, elsewhere: int = 0) -> Sample:
    return Sample(weight, frozenset(range(canary)), unanswered, elsewhere)


def test_shares_within_three_deviations_have_no_fault() -> None:
    assert faults([sample(1, 120), sample(5, 540), sample(25, 2400), sample(0, 0)]) == []


def test_a_share_outside_is_a_fault() -> None:
    assert faults([sample(5, 570)]) == ["at 5 % the canary answered 570 of 10000 users (± 65 allowed)"]


def test_whoever_leaves_while_the_weight_grows_is_a_fault() -> None:
    grown = Sample(5, frozenset(range(10, 510)), 0, 0)

    assert "10 users left the canary while its weight grew to 5 %" in faults([sample(1, 100), grown])


def test_a_user_on_the_canary_after_the_abort_is_a_fault() -> None:
    assert "1 users are on the canary after the abort" in faults([sample(25, 2500), sample(0, 1)])


def test_unanswered_users_and_a_moving_weight_are_faults() -> None:
    found = faults([sample(5, 500, unanswered=2, elsewhere=3)])

    assert found == ["at 5 % 2 users got no answer", "at 5 % the weight moved under 3 requests"]
