"""What the scenes plant must be there to be planted: a change of the code must not turn them into nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab import paths, scenes
from lab.runner import Ran
from release.version import tagged
from tests.release.team import Team


class Desk:
    """An office that keeps what was pushed, and whose runs end as they are told to."""

    def __init__(self, code: int, log: str) -> None:
        self.pushed_files: dict[str, str] = {}
        self.code, self.log = code, log
        self.pulls = self.reviews = self
        self.marked: list[str] = []
        self.tagged: list[str] = []

    def tags(self) -> list[str]:
        return self.tagged

    def text(self, path: str) -> str:
        return (paths.ROOT / path).read_text()

    def commit(self, message: str, files: Mapping[str, str], branch: str = "main") -> str:
        self.pushed_files = dict(files)
        return "a" * 40

    def open(self, *words: str) -> Any:
        return self

    number = 1

    def mark(self, sha: str, context: str, state: str, text: str) -> None:
        self.marked.append(state)

    def approve(self, *words: object) -> None:
        return

    def proposed(self, *words: str) -> Ran:
        return Ran("ci", self.code, self.log, 1.0)

    def merged(self, number: int) -> str:
        return "" if self.marked == ["success"] else "required status checks have not passed"


def ended(how: str, *jobs: str) -> str:
    return "".join(f"[ci/{job}   ] \U0001f3c1  Job {how}\n" for job in jobs)


@pytest.mark.parametrize("scene", [scenes.broken_test, scenes.broken_gate])
def test_a_broken_pull_request_changes_what_it_says_it_breaks(scene: scenes.Scene) -> None:
    office: Any = Desk(1, f"FAILED tests/model/x FAILED tests/rollouts/x\n{ended('failed', 'prove-1', 'passed')}")
    assert all(scene(office).values())
    [(path, text)] = office.pushed_files.items()
    assert text != (paths.ROOT / path).read_text()
    assert office.marked == ["failure"]


@pytest.mark.parametrize("scene", [scenes.broken_test, scenes.broken_gate])
def test_a_pull_request_that_stays_green_fails_the_scene(scene: scenes.Scene) -> None:
    office: Any = Desk(0, "")
    office.tagged = ["v0.1.0"]
    assert not any(scene(office).values())


def test_the_planted_fault_is_one_that_only_a_unit_test_sees() -> None:
    """An engine that answers errors counts as started; the check of the pin, which comes first, finds all in order."""
    office: Any = Desk(1, "FAILED tests/model")
    scenes.broken_test(office)
    [(path, text)] = office.pushed_files.items()
    before = (paths.ROOT / path).read_text().splitlines()
    [(old, new)] = [pair for pair in zip(before, text.splitlines(), strict=True) if pair[0] != pair[1]]
    assert (path, old.strip(), new.strip()) == ("model/started.py", "if status != 200:", "if status >= 600:")


def test_a_good_pull_request_changes_a_file_and_is_merged_after_its_review() -> None:
    office: Any = Desk(0, ended("succeeded", "prove-1", *(one for one in scenes.CI if one != "prove")))
    said = iter(("does not have enough approvals", ""))
    office.merged = lambda number: next(said)
    assert all(scenes.good_pull(office).values())
    assert office.pushed_files["model/pin.py"] != (paths.ROOT / "model/pin.py").read_text()


def test_every_job_of_ci_that_needs_no_registry_must_have_been_green() -> None:
    ci = YAML(typ="safe").load((paths.ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert sorted(name for name, job in ci.items() if "vars." not in job.get("if", "")) == scenes.CI
    office: Any = Desk(0, ended("succeeded", "passed", "prove-1"))
    assert not all(scenes.good_pull(office).values())


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_merges_may_meet_in_either_order(tmp_path: Path, order: tuple[int, int]) -> None:
    team = Team(tmp_path)
    tagged(team.history, team.push("feat: zero"))
    office: Any = Desk(0, "")
    merges: list[str] = []

    def commit(title: str, files: Mapping[str, str]) -> str:
        merges.append(team.push(title, dict(files)))
        if len(merges) == 2:
            for number in order:
                tagged(team.clone(f"run-{number}"), merges[number])
        return merges[-1]

    office.desk, office.commit, office.pushed = team.history, commit, lambda *words, **more: Ran("release", 0, "", 1.0)
    assert all(scenes.two_merges(office).values())
