import pytest

from release.errors import ForgeAway, Locked, Refused
from release.history import DECLINED, Files
from tests.release.team import Team


def test_a_commit_changes_its_files_alone_and_no_work_tree(team: Team) -> None:
    history = team.history
    made = history.commit(history.sha(history.main), {"a/b.txt": "hello\n"}, "docs: hello")
    assert history.text(made, "a/b.txt") == "hello\n"
    assert history.text(made, "environments/prod/values.yaml") == history.text(
        history.main, "environments/prod/values.yaml"
    )
    assert not history.git("status", "--porcelain")


def test_two_writers_lose_nothing_to_each_other(team: Team) -> None:
    one, other, asked = team.clone("one"), team.clone("other"), []

    def slow(tip: str) -> tuple[Files, str]:
        asked.append(tip)
        if len(asked) == 1:
            other.amend("log", lambda tip: ({"other.txt": "x"}, "other"))
        return {"one.txt": "x"}, "one"

    made = one.amend("log", slow)
    assert len(asked) == 2
    assert one.text(made, "other.txt") == one.text(made, "one.txt") == "x"


def test_a_branch_that_takes_nothing_says_how_to_write_to_it(team: Team) -> None:
    hook = team.bare / "hooks/update"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    asked: list[str] = []

    def change(tip: str) -> tuple[Files, str]:
        asked.append(tip)
        return {"a": "b"}, "chore: a"

    with pytest.raises(Locked, match="let this identity past its protection"):
        team.history.amend("main", change)
    assert len(asked) == DECLINED  # a closed branch is no other writer, for whom it would be tried more often


def test_the_branches_of_rollbacks_come_with_a_fetch(team: Team) -> None:
    history, other = team.history, team.clone("other")
    made = other.commit(other.sha(other.main), {"a": "b"}, "revert: x")
    assert other.push(made, "refs/heads/rollback/prod/v1.0.0", "")
    history.fetch()
    assert history.sha("refs/remotes/origin/rollback/prod/v1.0.0") == made
    assert history.fork(made, history.main) == history.sha(history.main)
    assert history.fork(history.commit("", {"a": "b"}, "feat: elsewhere"), history.main) == ""


def test_a_remote_that_is_away_is_another_error_than_a_wrong_name(team: Team) -> None:
    with pytest.raises(Refused, match="git show"):
        team.history.git("show", "nothing")
    team.history.git("remote", "set-url", "origin", "http://127.0.0.1:9/gone.git")
    with pytest.raises(ForgeAway, match="run the same command again"):
        team.history.fetch()


def test_a_push_over_somebody_elses_is_refused(team: Team) -> None:
    old = team.history.sha(team.history.main)
    team.push("feat: new")
    made = team.history.commit(old, {"a": "b"}, "feat: late")
    assert not team.history.push(made, "refs/heads/main", old)
