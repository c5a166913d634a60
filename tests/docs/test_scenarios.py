"""tests/e2e/README.md names every key, every choice and every field of the report, and no other."""

import re
from pathlib import Path
from typing import get_args

import pytest

from lab.play import Outcome
from lab.scenario import Action, Expected, Fault, Scenario, When, load

FOLDER = Path(__file__).parents[1] / "e2e"
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")
TOP, KEYS = TEXT.split("| key of |")


def owned() -> dict[str, set[str]]:
    """The second table: the keys of a fault, an action and `expected`; an empty first cell goes on."""
    found: dict[str, set[str]] = {}
    owner = ""
    for first, key in re.findall(r"^\|([^|]*)\| `([a-z_.]+)` \|", KEYS, re.MULTILINE):
        owner = first.strip() or owner
        found.setdefault(owner, set()).add(key)
    return found


def test_every_key_of_a_scenario_is_documented_and_no_other() -> None:
    assert set(re.findall(r"^\| `([a-z_]+)` \|", TOP, re.MULTILINE)) == set(Scenario.model_fields)


def test_every_key_of_a_fault_an_action_and_the_expected_is_documented_and_no_other() -> None:
    fault = set(Fault.model_fields) - {"when"} | {f"when.{key}" for key in When.model_fields}

    assert owned() == {
        "a fault": fault,
        "an action": set(Action.model_fields),
        "`expected`": set(Expected.model_fields),
    }


@pytest.mark.parametrize("field", [Fault.model_fields["do"], Action.model_fields["do"], When.model_fields["source"]])
def test_every_choice_is_documented(field: object) -> None:
    assert [choice for choice in get_args(field.annotation) if f"`{choice}`" not in TEXT] == []


def test_every_field_of_a_row_of_the_report_is_documented() -> None:
    row = Outcome(load(FOLDER / "scenarios")[0]).row()

    assert [key for key in row if f"`{key}`" not in TEXT.split("build/e2e/report.json")[1]] == []
