import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from release import checkout
from release.errors import Refused


def test_the_commit_says_when_files_differ_from_it(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    file = tmp_path / "main.py"
    file.write_text("first")
    for command in (["init", "-q"], ["add", "main.py"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    clean = checkout.commit(tmp_path)
    file.write_text("changed")
    assert len(clean) == 40
    assert checkout.commit(tmp_path) == f"{clean}-dirty"


def test_no_checkout_needs_the_commit_as_an_option(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--commit"):
        checkout.commit(tmp_path)


def test_a_report_begins_with_commit_and_start() -> None:
    began = checkout.origin()
    assert began["commit"] == checkout.commit()
    assert datetime.fromisoformat(began["started"]) <= datetime.now(UTC)
