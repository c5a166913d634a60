from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from release.trigger import app
from tests.release.conftest import Scripted

ADDRESS = "/repos/ada/llm"
DISPATCHES = f"{ADDRESS}/actions/workflows/rollback.yml/dispatches"


@pytest.fixture
def forge(server: Callable[[], Scripted], monkeypatch: pytest.MonkeyPatch) -> Scripted:
    made = server()
    made.on("POST", DISPATCHES, None, code=204)
    monkeypatch.setenv("SLUICE_FORGE", f"{made.url}{ADDRESS}")
    monkeypatch.setenv("GITHUB_ACTOR", "ada")
    return made


def tagged(ref: str) -> Result:
    return CliRunner().invoke(app, [ref])


def test_a_tag_starts_the_rollback_on_main_and_says_who_pushed_it(forge: Scripted) -> None:
    done = tagged("deploy/staging/v1.2.0")
    assert (done.exit_code, done.stdout) == (0, "rollback.yml is started on main: staging goes back to v1.2.0\n")
    why = "the tag deploy/staging/v1.2.0, pushed by ada"
    inputs = {"environment": "staging", "version": "v1.2.0", "why": why}
    assert [one["body"] for one in forge.heard("POST")] == [{"ref": "main", "inputs": inputs}]


def test_a_tag_of_another_form_starts_nothing(forge: Scripted) -> None:
    assert tagged("deploy/prod/vlatest").exit_code == 12
    assert forge.asked == []


def test_a_forge_that_is_away_or_unknown_is_one_line(forge: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    forge.answers.clear()
    forge.on("POST", DISPATCHES, None, code=503)
    assert tagged("deploy/prod/v1.2.0").exit_code == 10
    for name in ("SLUICE_FORGE", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    alone = tagged("deploy/prod/v1.2.0")
    assert alone.exit_code == 5
    assert "`make rollback VERSION=v1.2.0 ENVIRONMENT=prod` does it from here" in alone.stderr
