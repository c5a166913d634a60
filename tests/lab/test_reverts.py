from typing import Any

import pytest

from lab import reverts, scenes
from lab.deliveries import DELIVERIES
from lab.office import Office
from release.forge import PullRequest

PULL = PullRequest(7, "http://forge/7", "t", "b", "revert/prod/v0.1.3", "main", "abc", False, "open")


def test_every_scene_says_what_is_expected_of_it_and_none_has_anothers_name() -> None:
    names = [scene.__name__ for scene in (*scenes.SCENES, *reverts.REVERTS, *DELIVERIES)]
    assert all((scene.__doc__ or "").endswith(".") for scene in reverts.REVERTS)
    assert all(names.count(scene.__name__) == 1 for scene in reverts.REVERTS)


class Board(Office):
    """An office whose forge answers what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.path, self.answer, self.asked = "ada/llm", answer, ""
        self.forge = self  # type: ignore[assignment]

    def ask(self, who: str, method: str, path: str) -> Any:
        self.asked = path
        return self.answer


@pytest.mark.parametrize("runs", [[], ["ci.yml@refs/heads/revert/prod/v0.1.3"]])
def test_what_was_started_is_asked_of_the_very_commit(runs: list[str]) -> None:
    board = Board({"workflow_runs": [{"path": one} for one in runs]})
    assert reverts.started(board, PULL) == set(runs)
    assert board.asked.endswith("event=workflow_dispatch&head_sha=abc")


def test_the_files_of_a_pull_request_are_those_that_the_forge_names() -> None:
    assert reverts.changed(Board([{"filename": "a"}, {"filename": "b"}]), PULL) == ["a", "b"]
