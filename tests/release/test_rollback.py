import pytest

from release.audit import Entry, read
from release.environment import parsed
from release.errors import Locked, UnknownVersion
from release.history import identity
from release.rollback import find, logged, named, rollback, told
from release.verdict import settle
from release.write import path_of
from tests.release.team import GATES, Board, Team, release_text


def tag(team: Team, version: str) -> None:
    team.history.git("tag", "--annotate", "--message=x", version, team.history.main, env=identity())
    team.history.git("push", "--quiet", "origin", version)


def test_everything_is_as_it_was_and_todays_gates_judge_it(team: Team) -> None:
    then = release_text("v1.0.0", model={"id": "old", "revision": "r0", "sha256": "e" * 64})
    team.push("chore(prod): release v1.0.0", {path_of("prod"): then})
    tag(team, "v1.0.0")
    settle(team.history, None, Entry("prod", "v1.0.0", "verdict", verdict="promoted"))
    team.releases("prod", "v1.1.0")
    found = find(team.history, "prod", "v1.0.0", "f" * 64)
    assert found.before
    written = rollback(team.history, "prod", found, "too many complaints")
    logged(team.history, "prod", found, "too many complaints", lambda: written)
    now = parsed(team.history.text(written.commit, path_of("prod")) or "", "prod")["release"]
    assert now == parsed(then, "then")["release"] | {"gates": "sha256:" + "f" * 64}
    assert team.version_in("prod") == "v1.0.0"
    assert read(team.history, "prod")[-1].reason == "too many complaints"


def test_the_same_gates_give_the_same_file_to_the_byte(team: Team) -> None:
    team.releases("prod", "v1.0.0", "v1.1.0")
    tag(team, "v1.0.0")
    assert find(team.history, "prod", "v1.0.0", GATES).text == release_text("v1.0.0")


def test_a_version_of_another_environment_runs_the_whole_canary(team: Team) -> None:
    team.releases("staging", "v1.0.0")
    tag(team, "v1.0.0")
    found = find(team.history, "prod", "v1.0.0", GATES)
    assert (found.source, found.before) == ("staging", False)


def test_a_version_that_was_not_promoted_here_runs_the_whole_canary(team: Team) -> None:
    team.releases("prod", "v1.0.0", "v1.1.0")
    tag(team, "v1.0.0")
    assert not find(team.history, "prod", "v1.0.0", GATES).before


@pytest.mark.parametrize("tagged", [True, False])
def test_an_unknown_version_changes_nothing(team: Team, tagged: bool) -> None:
    if tagged:
        tag(team, "v9.0.0")
    before = team.history.git("ls-remote", "origin")
    with pytest.raises(UnknownVersion, match=r"v9\.0\.0"):
        find(team.history, "prod", "v9.0.0", GATES)
    assert team.history.git("ls-remote", "origin") == before


def test_a_rollback_run_again_is_done_already(team: Team) -> None:
    team.releases("prod", "v1.0.0", "v1.1.0")
    tag(team, "v1.0.0")
    assert rollback(team.history, "prod", find(team.history, "prod", "v1.0.0", GATES), "why").changed
    assert not rollback(team.history, "prod", find(team.history, "prod", "v1.0.0", GATES), "why").changed


def test_a_tag_names_environment_and_version() -> None:
    assert named("deploy/prod/v1.2.0") == named("refs/tags/deploy/prod/v1.2.0") == ("prod", "v1.2.0")
    for wrong in ("v1.2.0", "deploy/prod", "deploy/prod/latest"):
        with pytest.raises(UnknownVersion):
            named(wrong)


def test_where_the_branch_is_closed_a_pull_request_asks_for_it(team: Team, board: Board) -> None:
    team.releases("prod", "v1.0.0", "v1.1.0")
    tag(team, "v1.0.0")
    team.close()
    found = find(team.history, "prod", "v1.0.0", GATES)
    written = rollback(team.history, "prod", found, "slow", lambda: board)  # type: ignore[arg-type,return-value]
    assert (written.link, [one.head for one in board.pulls]) == ("http://forge/1", ["rollback/prod/v1.0.0"])
    assert board.pulls[0].body.startswith("slow\n")
    assert team.history.text(written.commit, path_of("prod")) == found.text
    assert team.version_in("prod") == "v1.1.0"
    line = told(written, "prod", "v1.0.0")
    assert "takes no commit from here: merge http://forge/1, so that git says v1.0.0 too" in line
    assert "\n" not in line
    logged(team.history, "prod", found, "slow", lambda: written)
    assert [(one.what, one.link) for one in read(team.history, "prod")] == [("rollback", "http://forge/1")]
    settle(team.history, board, Entry("prod", "v1.0.0", "verdict", verdict="promoted"))  # type: ignore[arg-type]
    assert (team.version_in("prod"), board.marked) == ("v1.1.0", [])  # git still says the other: nothing is touched


def test_an_open_branch_asks_no_forge(team: Team) -> None:
    team.releases("prod", "v1.0.0", "v1.1.0")
    tag(team, "v1.0.0")

    def never() -> None:
        raise AssertionError("asked")

    assert rollback(team.history, "prod", find(team.history, "prod", "v1.0.0", GATES), "why", never).link == ""


def test_a_closed_branch_and_no_forge_is_one_line_that_names_both_ways(team: Team) -> None:
    team.releases("prod", "v1.0.0", "v1.1.0")
    tag(team, "v1.0.0")
    team.close()
    found = find(team.history, "prod", "v1.0.0", GATES)
    with pytest.raises(Locked, match=r"past its protection.*a pull request is opened") as said:
        rollback(team.history, "prod", found, "why", lambda: None)
    assert "\n" not in str(said.value)
