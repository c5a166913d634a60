import pytest

from release.audit import Entry
from release.errors import Locked, Refused
from release.history import History
from release.lock import STALE, held, latest, lock, ref_of
from release.verdict import settle
from release.write import Written, path_of
from tests.release.team import Board, Team, release_text


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


def test_a_remote_that_takes_no_lock_is_not_asked_for_ever(team: Team) -> None:
    hook = team.bare / "hooks/update"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    said = pytest.raises(Locked, match=r"the remote takes no lock; may this token write refs/sluice/lock/prod\?")
    with said, lock(team.history, "prod", "v1.0.0", patience=0.2):
        raise AssertionError("held")


def test_a_deployment_that_git_has_moved_on_from_is_refused(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("release.lock.ROOT", team.history.root)
    team.releases("staging", "v1.0.0", "v1.1.0")
    with held(True, "staging", "v1.1.0"):
        assert ref_of("staging") in team.history.git("ls-remote", "origin")
    with pytest.raises(Refused, match=r"main says v1\.1\.0 by now"), held(True, "staging", "v1.0.0"):
        raise AssertionError("deployed")
    assert ref_of("staging") not in team.history.git("ls-remote", "origin")
    with held(False, "staging", "v1.0.0"):
        pass


def test_what_was_written_meanwhile_is_what_is_deployed(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("release.lock.ROOT", team.history.root)
    team.releases("staging", "v1.0.0")
    folder = team.history.root / "environments/staging"
    assert not (folder / "release.yaml").exists()
    latest(folder)
    assert "v1.0.0" in (folder / "release.yaml").read_text()


def asked_back(history: History, version: str) -> str:
    """The branch of a rollback that main takes no commit of."""
    made = history.commit(history.sha(history.main), {path_of("staging"): release_text(version)}, "revert: back")
    branch = f"rollback/staging/{version}"
    assert history.push(made, f"refs/heads/{branch}", history.remote_tip(f"refs/heads/{branch}"))
    return made


def test_what_git_will_say_once_a_pull_request_is_merged_is_handed_over(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("release.lock.ROOT", team.history.root)
    team.releases("staging", "v1.0.0", "v1.1.0")
    with held(True, "staging", "v1.0.0", lambda: Written("abc", "http://forge/1", True)):
        assert ref_of("staging") in team.history.git("ls-remote", "origin")
    written = Written(team.history.sha(team.history.main), "", True)
    with pytest.raises(Refused, match="by now"), held(True, "staging", "v1.0.0", lambda: written):
        raise AssertionError("deployed")


def test_what_a_rollback_has_left_is_not_brought_back_while_its_pull_request_waits(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("release.lock.ROOT", team.clone("job").root)
    team.releases("staging", "v1.0.0", "v1.1.0")
    made = asked_back(team.history, "v1.0.0")
    said = r"v1\.1\.0 is taken back by rollback/staging/v1\.0\.0, which waits; merge it, .*, or delete that branch"
    with pytest.raises(Refused, match=said), held(True, "staging", "v1.1.0"):
        raise AssertionError("deployed")
    team.releases("staging", "v1.2.0")
    with held(True, "staging", "v1.2.0"):  # somebody went forward in git
        pass
    asked_back(team.history, "v1.1.0")
    assert team.history.push("", "refs/heads/rollback/staging/v1.1.0", asked_back(team.history, "v1.1.0"))
    with held(True, "staging", "v1.2.0"):  # the branch was deleted
        pass
    assert team.history.text(made, path_of("staging")) == release_text("v1.0.0")
    team.push("revert: back", {path_of("staging"): release_text("v1.0.0")})
    with held(True, "staging", "v1.0.0"):  # it was merged, and squashed
        pass


@pytest.fixture
def stopped(team: Team, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """v1.1.0 was stopped in prod, and a pull request reverts it."""
    monkeypatch.setattr("release.lock.ROOT", team.clone("job").root)
    team.releases("prod", "v1.0.0", "v1.1.0")
    settle(team.history, board, Entry("prod", "v1.1.0", "verdict", verdict="aborted"))  # type: ignore[arg-type]


def test_what_was_stopped_is_not_deployed_again_while_its_reverts_pull_request_waits(team: Team, stopped: None) -> None:
    team.push("feat(prod): other pods", {"environments/prod/values.yaml": "engine: {replicas: 3}\n"})
    said = r"prod: v1\.1\.0 is taken back by revert/prod/v1\.1\.0, which waits; merge it, release another version, or"
    with pytest.raises(Refused, match=said) as refused, held(True, "prod", "v1.1.0"):
        raise AssertionError("deployed")
    assert "\n" not in str(refused.value)
    assert ref_of("prod") not in team.history.git("ls-remote", "origin")
    with held(True, "prod", "v1.0.0", lambda: Written("abc", "http://forge/1", True)):  # a rollback waits for no review
        pass
    team.releases("prod", "v1.2.0")
    with held(True, "prod", "v1.2.0"):
        pass


def test_once_a_revert_was_merged_its_branch_holds_up_nobody(team: Team, stopped: None) -> None:
    team.push("revert(prod): squashed", {path_of("prod"): release_text("v1.0.0")})
    with held(True, "prod", "v1.0.0"):
        pass
    team.releases("prod", "v1.1.0")  # somebody has found that the fault was elsewhere
    with held(True, "prod", "v1.1.0"):
        pass
