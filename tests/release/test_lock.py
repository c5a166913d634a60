import pytest

from release.errors import Locked
from release.lock import STALE, lock, ref_of
from tests.release.team import Team


def test_a_second_deployment_waits_and_then_says_who_holds_it(team: Team) -> None:
    other = team.clone("other")
    said = pytest.raises(Locked, match=r"ada is deploying v1\.0\.0")
    with lock(team.history, "prod", "v1.0.0"), said, lock(other, "prod", "v2.0.0", patience=0):
        raise AssertionError("held twice")


def test_it_is_free_afterwards_even_after_a_failure(team: Team) -> None:
    with pytest.raises(ZeroDivisionError), lock(team.history, "prod", "v1.0.0"):
        _ = 1 / 0
    assert ref_of("prod") not in team.history.git("ls-remote", "origin")


def test_other_environments_do_not_wait(team: Team) -> None:
    with lock(team.history, "prod", "v1.0.0"), lock(team.clone("other"), "staging", "v2.0.0", patience=0):
        assert len(team.history.git("ls-remote", "origin", "refs/sluice/lock/*").splitlines()) == 2


def test_a_killed_deployment_run_again_takes_its_own_lock_over(team: Team) -> None:
    killed = lock(team.history, "prod", "v1.0.0")
    killed.__enter__()
    with lock(team.clone("again"), "prod", "v1.0.0", patience=0):
        pass


def test_a_lock_of_somebody_who_was_killed_ends(team: Team) -> None:
    killed = lock(team.history, "prod", "v1.0.0", clock=lambda: 1000.0)
    killed.__enter__()
    with pytest.raises(Locked), lock(team.history, "prod", "v2.0.0", patience=0, clock=lambda: 1001.0):
        pass
    with lock(team.clone("later"), "prod", "v2.0.0", patience=0, clock=lambda: 1001.0 + STALE):
        pass
