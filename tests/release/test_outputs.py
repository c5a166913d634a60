from pathlib import Path

import pytest

from release.outputs import RUN, page, tell


def test_the_next_job_hears_it_and_outside_a_workflow_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "out"))
    tell(new=True)
    tell(version="v1.0.0")
    assert (tmp_path / "out").read_text() == "new=true\nversion=v1.0.0\n"
    monkeypatch.delenv("GITHUB_OUTPUT")
    tell(new=False)
    assert "false" not in (tmp_path / "out").read_text()


def test_a_run_has_a_page_and_a_persons_command_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(RUN, ("https://forge", "me/llm", "7"), strict=True):
        monkeypatch.setenv(name, value)
    assert page() == "https://forge/me/llm/actions/runs/7"
    monkeypatch.delenv("GITHUB_RUN_ID")
    assert page() == ""
