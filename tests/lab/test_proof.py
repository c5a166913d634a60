from types import SimpleNamespace
from typing import Any

import pytest

from lab import paths, process, proof
from lab.runner import Ran
from lab.scenario import load

LOG = """[e2e/e2e]   |   ok     promoted, 40 s
[e2e/e2e]   |   ok     aborted, detected in 9 s, 30 s
[e2e/e2e]   |   ok     down, 4 s
[e2e/e2e]   | 3 passed, 0 failed
[e2e/e2e] Job succeeded
"""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(log: str, code: int = 0) -> tuple[dict[str, Any], dict[str, str]]:
        office: Any = SimpleNamespace(env={"A": "b"})
        given: dict[str, str] = {}

        class Asked(SimpleNamespace):
            def asked(self, workflow: str, inputs: dict[str, str]) -> Ran:
                given.update(self.env)
                return Ran(workflow, code, log, 1.0)

        office = Asked(env={"A": "b"})
        monkeypatch.setattr(process, "running", list)
        return proof.e2e_played(office), given

    return of


def test_both_verdicts_a_green_job_and_an_ended_lab_are_what_counts(seen: Any) -> None:
    found, given = seen(LOG)
    assert all(found.values())
    assert given == {"A": "b", "SCENARIOS": proof.SCENARIOS}


@pytest.mark.parametrize(
    ("old", "new"), [("ok     promoted", "FAILED promoted"), ("0 failed", "1 failed"), ("succeeded", "failed")]
)
def test_what_went_wrong_fails_the_scene(seen: Any, old: str, new: str) -> None:
    found, _ = seen(LOG.replace(old, new))
    assert not all(found.values())


def test_the_scenarios_are_one_of_each_verdict() -> None:
    found = load(paths.ROOT / proof.SCENARIOS)
    assert sorted(one.expected.verdict for one in found) == sorted(proof.VERDICTS)
    assert not any(one.long for one in found)
