from app import lost
from app.lost import Garbled, HungUp, Lost, Unreachable


def test_the_tree_of_faults_is_as_drawn() -> None:
    assert {Unreachable, HungUp, Garbled} == set(Lost.__subclasses__())
    assert all(one.__name__ in str(lost.__doc__) for one in (Lost, *Lost.__subclasses__()))


def test_a_fault_says_whether_an_answer_had_begun() -> None:
    assert [one.started for one in (HungUp("a"), HungUp("a", started=True))] == [False, True]
