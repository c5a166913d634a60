from pathlib import Path

import pytest

from rollouts.gates import REQUIRED_ALERTS

RUNBOOKS = Path(__file__).parents[2] / "monitoring/runbooks"


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert {path.stem for path in RUNBOOKS.iterdir()} == set(REQUIRED_ALERTS)


@pytest.mark.parametrize("name", REQUIRED_ALERTS)
def test_a_runbook_says_what_users_notice_and_what_to_do(name):
    lines = (RUNBOOKS / f"{name}.md").read_text().splitlines()
    assert lines[0] == f"# {name}"
    titles = [line for line in lines if line.startswith("## ")]
    assert titles == ["## Users notice", "## What to do", "## When it is no fault"]
