import pytest

from release.audit import Entry, read, write
from release.errors import NotVerified
from release.history import History
from release.promote import promote
from release.write import digest, path_of
from tests.release.team import Board, Team, release_text


def judged(team: Team, environment: str, version: str, verdict: str) -> None:
    release = digest(release_text(version))
    line = Entry(
        environment, version, "verdict", verdict=verdict, release=release, evidence=["bad-share: 0 of 400 bad"]
    )
    write(team.history, line)


def test_it_copies_one_file_and_carries_the_evidence(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    judged(team, "staging", "v1.0.0", "promoted")
    written = promote(team.history, board, "staging", "prod")
    base = team.history.sha(team.history.main)
    assert team.history.git("diff", "--name-only", base, written.commit).split() == [path_of("prod")]
    assert team.history.text(written.commit, path_of("prod")) == release_text("v1.0.0")
    assert "bad-share: 0 of 400 bad" in board.pulls[0].body
    assert [one.what for one in read(team.history, "prod")] == ["promotion"]


def test_run_again_it_is_the_same_pull_request(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    judged(team, "staging", "v1.0.0", "promoted")
    assert promote(team.history, board, "staging", "prod").link == promote(team.history, board, "staging", "prod").link
    assert len(board.pulls) == 1


def refused(history: History, board: Board, why: str) -> None:
    before = history.git("ls-remote", "origin")
    with pytest.raises(NotVerified, match=why):
        promote(history, board, "staging", "prod")
    assert history.git("ls-remote", "origin") == before
    assert not board.pulls


def test_what_is_still_judged_is_refused(team: Team, board: Board) -> None:
    refused(team.history, board, "not on main")
    team.releases("staging", "v1.0.0")
    refused(team.history, board, "no good verdict in staging")


def test_another_file_of_the_same_version_is_refused(team: Team, board: Board) -> None:
    judged(team, "staging", "v1.0.0", "promoted")
    team.push("chore(staging): x", {path_of("staging"): release_text("v1.0.0", gates="sha256:" + "d" * 64)})
    refused(team.history, board, "no good verdict in staging")


def test_what_was_stopped_in_prod_is_refused_there(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    judged(team, "staging", "v1.0.0", "promoted")
    judged(team, "prod", "v1.0.0", "aborted")
    refused(team.history, board, "was stopped in prod")


def test_the_reviewer_sees_what_both_arms_answered_when_somebody_approved(team: Team, board: Board) -> None:
    team.releases("staging", "v1.0.0")
    write(
        team.history, Entry("staging", "v1.0.0", "approval", evidence=["1 of 20 answers differ.", "", "| a | b | c |"])
    )
    judged(team, "staging", "v1.0.0", "promoted")
    promote(team.history, board, "staging", "prod")
    assert "answers, as ada saw them" in board.pulls[0].body
    assert "1 of 20 answers differ.\n\n| a | b | c |" in board.pulls[0].body
