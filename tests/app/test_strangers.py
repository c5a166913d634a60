import re
from pathlib import Path

import pytest

from app.strangers import KNOWN, OTHERS, found

ROOT = Path(__file__).parents[2]
PROGRAMS = ("app", "charts", "lab", "model", "monitoring", "perf", "quality", "release", "rollouts")
TEXTS = {".py", ".tpl", ".yaml", ""}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("SLUICE_MAX_INFLGHT", "SLUICE_MAX_INFLIGHT"),
        ("SLUICE_DATABASEURL", "SLUICE_DATABASE_URL"),
        ("sluice_prot", "SLUICE_PORT"),
        ("SLUICE_MAX_TOKEN", "SLUICE_MAX_TOKENS"),
    ],
)
def test_a_mistyped_name_is_told_with_the_nearest(typed: str, meant: str) -> None:
    [line] = found([typed, "PATH", *KNOWN])
    assert line.startswith(f"{typed}: ")
    assert f"nearest is {meant} " in line


def test_a_name_that_is_like_none_is_told_too() -> None:
    assert [line.split(":")[0] for line in found(["SLUICE_", "SLUICE_ZZZZ"])] == ["SLUICE_", "SLUICE_ZZZZ"]


def test_settings_in_small_letters_and_names_of_other_programs_are_none() -> None:
    assert list(found(["sluice_port", "SLUICE_PORT", "MY_SLUICE_PROT", "SLUICED", *OTHERS])) == []


def test_the_other_programs_names_are_those_that_they_read() -> None:
    files = [file for folder in PROGRAMS for file in (ROOT / folder).rglob("*") if file.suffix in TEXTS]
    text = "\n".join(file.read_text() for file in [*files, ROOT / "Makefile"] if file.is_file())
    used = set(re.findall(r"SLUICE_[A-Z0-9_]*[A-Z0-9]\b", text))
    assert {name for name in used if name not in KNOWN} == OTHERS
