import pytest

from release.audit import Entry, read
from release.errors import Locked
from release.verdict import NOTHING, settle
from release.write import Written
from tests.release.team import Board, Team


def said(environment: str, version: str, verdict: str, reason: str = "") -> Entry:
    return Entry(environment, version, "verdict", verdict=verdict, reason=reason, link="http://report")


def told(team: Team, board: Board, *words: str) -> Written | None:
    return settle(team.history, board, said(*words))  # type: ignore[arg-type]


def test_an_abort_takes_the_release_back_to_the_last_good_one(team: Team, board: Board) -> None:
    for version in ("v1.0.0", "v1.1.0"):
        team.releases("staging", version)
    told(team, board, "staging", "v1.1.0", "promoted")
    team.releases("staging", "v1.2.0")
    told(team, board, "staging", "v1.2.0", "aborted", "bad-share failed")
    assert team.version_in("staging") == "v1.1.0"
    newest = team.history.commits(team.history.main)[0]
    assert newest.subject == "revert(staging): v1.2.0 was stopped, v1.1.0 is what runs"
    assert "bad-share failed" in newest.body
    assert "Report: http://report" in newest.body


def test_a_release_that_nobody_judged_is_passed_over(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    told(team, board, "staging", "v1.0.0", "promoted")
    team.releases("staging", "v1.1.0", "v1.2.0")
    told(team, board, "staging", "v1.2.0", "aborted")
    assert team.version_in("staging") == "v1.0.0"


def test_an_abort_told_twice_reverts_once(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0", "v1.1.0")
    told(team, board, "staging", "v1.1.0", "aborted")
    before = team.history.sha(team.history.main)
    assert told(team, board, "staging", "v1.1.0", "aborted") is None
    assert team.history.sha(team.history.main) == before
    assert [one.what for one in read(team.history, "staging")] == ["verdict", "reverted"]


def test_git_says_what_runs_before_the_figures_are_looked_for(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0", "v1.1.0")
    seen: list[str] = []

    def evidence() -> list[str]:
        seen.append(team.version_in("staging"))
        return ["40 of 120 bad"]

    settle(team.history, board, said("staging", "v1.1.0", "aborted"), evidence)  # type: ignore[arg-type]
    assert seen == ["v1.0.0"]
    [kept] = [one for one in read(team.history, "staging") if one.what == "verdict"]
    assert kept.evidence == ["40 of 120 bad"]
    assert kept.release != ""
    marked = [sha for sha, _, state in board.marked if state == "failure"]
    assert team.history.text(marked[-1], "environments/staging/release.yaml") is not None
    assert "v1.1.0" in (team.history.text(marked[-1], "environments/staging/release.yaml") or "")


def test_a_late_verdict_does_not_touch_what_came_after(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0", "v1.1.0", "v1.2.0")
    told(team, board, "staging", "v1.1.0", "aborted")
    assert team.version_in("staging") == "v1.2.0"
    assert [one.verdict for one in read(team.history, "staging")] == ["aborted"]


def test_where_prod_wants_a_pull_request_the_revert_is_one(team: Team, board: Board) -> None:
    team.releases("prod", "v1.0.0", "v1.1.0")
    for _ in range(2):  # told twice
        told(team, board, "prod", "v1.1.0", "aborted")
    assert team.version_in("prod") == "v1.1.0"
    assert [one.head for one in board.pulls] == ["revert/prod/v1.1.0"]
    assert [one.what for one in read(team.history, "prod")] == ["verdict", "reverted"]
    assert board.pulls[0].body == "Reason: none given\nReport: http://report"


def test_where_main_takes_no_commit_from_here_the_revert_is_a_pull_request_too(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0", "v1.1.0")
    team.close()
    for _ in range(2):
        written = told(team, board, "staging", "v1.1.0", "aborted", "slow")
        assert written is not None
        assert written.link == "http://forge/1"
    assert [one.head for one in board.pulls] == ["revert/staging/v1.1.0"]
    assert board.pulls[0].body.startswith("Reason: slow\n")
    assert [one.link for one in read(team.history, "staging") if one.what == "reverted"][:1] == ["http://forge/1"]
    assert board.marked[-1][2] == "failure"


def test_where_main_takes_none_and_there_is_no_forge_it_is_one_line(team: Team) -> None:
    team.releases("staging", "v1.0.0", "v1.1.0")
    team.close()
    with pytest.raises(Locked, match=r"a pull request is opened") as refused:
        settle(team.history, None, said("staging", "v1.1.0", "aborted"))
    assert "\n" not in str(refused.value)


def test_the_verdict_is_a_status_of_the_commit(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    told(team, board, "staging", "v1.0.0", "promoted")
    assert [(context, state) for _, context, state in board.marked] == [("sluice/staging", "success")]
    assert [one.verdict for one in read(team.history, "staging")] == ["promoted"]


def test_a_first_release_that_fails_has_nothing_to_go_back_to_and_the_log_says_so(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    for _ in range(2):
        assert told(team, board, "staging", "v1.0.0", "aborted", "never served") is None
    assert team.version_in("staging") == "v1.0.0"
    [kept] = read(team.history, "staging")
    assert (kept.verdict, kept.reason) == ("aborted", f"never served; {NOTHING}")
    assert board.marked[-1][2] == "failure"


def test_a_version_that_was_stopped_is_never_gone_back_to(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    told(team, board, "staging", "v1.0.0", "aborted")
    team.releases("staging", "v1.1.0")
    assert told(team, board, "staging", "v1.1.0", "aborted") is None
    assert team.version_in("staging") == "v1.1.0"
