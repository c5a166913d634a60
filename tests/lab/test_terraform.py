import shutil
from pathlib import Path

import pytest

from lab import terraform

FOLDER = Path(__file__).parents[2] / "infrastructure"
TOFU = """#!/bin/sh
for folder; do :; done
grep -rl '= \\[\\[' "$folder" && exit 2
grep -rl '^  type = string' "$folder" && exit 3 || exit 0
"""
TFLINT = """#!/bin/sh
grep -q '"clusters"' "${1#--chdir=}/aws/variables.tf" && echo "(terraform_unused_declarations)" && exit 2 || exit 0
"""
CHECKOV = """#!/bin/sh
grep -rq "scan_on_push = false" "$2" && echo "Check: CKV_AWS_163" && found=1
grep -rq '"MUTABLE"' "$2" && echo "Check: CKV_AWS_51" && found=1
grep -rq "enable_key_rotation     = false" "$2" && echo "Check: CKV_AWS_7" && found=1
exit "${found:-0}"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins that know the planted faults; the real ones judge in `make infrastructure`."""
    (tmp_path / "bin").mkdir()
    for name, text in (("tofu", TOFU), ("tflint", TFLINT), ("checkov", CHECKOV)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setattr("lab.paths.BIN", tmp_path / "bin")
    monkeypatch.setattr("lab.terraform.CHECKOV", tmp_path)
    return tmp_path / "bin"


def test_what_is_there_has_no_findings_and_every_planted_fault_has_one(programs: Path) -> None:
    assert terraform.findings(FOLDER) == {}
    assert terraform.silent(FOLDER) == []


def test_each_planted_fault_changes_what_stands_there() -> None:
    for file, good, bad, _ in (*terraform.PLANTED, terraform.UNREADABLE):
        text = (FOLDER / file).read_text()
        assert text.count(good) >= 1
        assert text != text.replace(good, bad)


def test_a_check_that_finds_nothing_is_named(programs: Path) -> None:
    (programs / "checkov").write_text("#!/bin/sh\nexit 0\n")
    assert [one.split(": ")[1] for one in terraform.silent(FOLDER)] == [
        "scan_on_push = false",
        '"MUTABLE"',
        "enable_key_rotation     = false",
    ]


def test_a_finding_is_told_in_the_tools_words(programs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "infrastructure"
    shutil.copytree(FOLDER, copy)
    (copy / "aws/registry.tf").write_text((copy / "aws/registry.tf").read_text().replace("IMMUTABLE", "MUTABLE"))
    assert terraform.findings(copy) == {"checkov": "Check: CKV_AWS_51"}
