from lab.errors import LabError, NotReady, Refused


def test_who_asks_can_tell_a_refusal_from_a_failure() -> None:
    assert len({LabError.code, Refused.code, NotReady.code, 0}) == 4
    assert issubclass(Refused, LabError)
    assert issubclass(NotReady, LabError)
