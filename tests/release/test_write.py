import pytest

from release.errors import Refused
from release.history import History
from release.write import Way, Written, path_of, way_of, write
from tests.release.team import Board, Team, release_text


def put(history: History, board: Board | None, way: Way) -> Written:
    history.fetch()
    return write(history, board, "prod", release_text("v1.0.0"), "chore(prod): x", "why", "promote/prod/v1.0.0", way)


def test_directly_is_one_commit_on_the_released_branch(team: Team) -> None:
    written = put(team.history, None, "direct")
    assert team.version_in("prod") == "v1.0.0"
    assert written.commit == team.history.sha(team.history.main)
    assert not put(team.history, None, "direct").changed


def test_a_pull_request_leaves_the_released_branch_alone(team: Team, board: Board) -> None:
    written = put(team.history, board, "pullRequest")
    assert team.version_in("prod") == ""
    assert written.link == "http://forge/1"
    assert team.history.text(written.commit, path_of("prod")) == release_text("v1.0.0")


def test_run_again_it_finds_its_pull_request(team: Team, board: Board) -> None:
    first, second = put(team.history, board, "pullRequest"), put(team.clone("again"), board, "pullRequest")
    assert (first.commit, first.link) == (second.commit, second.link)
    assert len(board.pulls) == 1


def test_a_pull_request_needs_a_forge(team: Team) -> None:
    with pytest.raises(Refused, match="GITHUB_REPOSITORY"):
        put(team.history, None, "pullRequest")


def test_the_environment_says_how_it_is_written(team: Team) -> None:
    assert (way_of(team.history, "staging"), way_of(team.history, "prod")) == ("direct", "pullRequest")
    with pytest.raises(Refused, match=r"environments/nowhere/values\.yaml"):
        way_of(team.history, "nowhere")
