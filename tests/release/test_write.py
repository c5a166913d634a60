import pytest

from release.errors import ForgeAway, Refused
from release.history import History, identity
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


def test_a_pull_request_that_a_workflow_opens_gets_its_ci_started(
    team: Team, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert put(team.history, board, "pullRequest").note == ""
    assert board.started == [("ci.yml", "promote/prod/v1.0.0")]


def test_a_persons_own_pull_request_starts_it_by_itself(
    team: Team, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    put(team.history, board, "pullRequest")
    assert board.started == []


def test_a_start_that_fails_is_said_and_undoes_nothing(
    team: Team, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(workflow: str, ref: str, inputs: dict[str, str]) -> None:
        raise ForgeAway(f"{workflow}: no answer")

    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setattr(board, "start", away)
    written = put(team.history, board, "pullRequest")
    assert (written.link, len(board.pulls)) == ("http://forge/1", 1)
    assert "ci.yml was not started on promote/prod/v1.0.0" in written.note
    assert "\n" not in written.note


def test_a_branch_from_before_main_moved_on_is_made_anew_and_an_updated_one_stays(team: Team, board: Board) -> None:
    first = put(team.history, board, "pullRequest")
    team.push("docs: elsewhere")
    assert put(team.history, board, "pullRequest").commit == first.commit
    team.releases("prod", "v0.9.0")
    again = put(team.history, board, "pullRequest")
    assert team.history.sha(f"{again.commit}^") == team.history.sha(team.history.main)
    tip = team.push("docs: and there")
    merge = ("commit-tree", f"{again.commit}^{{tree}}", "-p", again.commit, "-p", tip, "-m", "Merge branch main")
    updated = team.history.git(*merge, env=identity()).strip()
    assert team.history.push(updated, "refs/heads/promote/prod/v1.0.0", again.commit)
    assert put(team.history, board, "pullRequest").commit == updated
