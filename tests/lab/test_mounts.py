from pathlib import Path

import pytest

from lab import mounts

LINES = """
proc /proc proc rw 0 0
tmpfs /var/lib/ours/run tmpfs rw 0 0
nsfs /var/lib/ours/run/netns/default nsfs rw 0 0
tmpfs /var/lib/ours-not tmpfs rw 0 0
overlay /cache/docker/overlay2/1/merged overlay rw 0 0
""".lstrip()


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mounts").write_text(LINES)
    monkeypatch.setattr(mounts, "TABLE", tmp_path / "mounts")


def test_only_mounts_under_a_folder_are_its_own_and_the_deepest_is_first() -> None:
    assert mounts.under(Path("/var/lib/ours")) == ["/var/lib/ours/run/netns/default", "/var/lib/ours/run"]
    assert mounts.under(Path("/var/lib/ours/run"), Path("/cache")) == [
        "/var/lib/ours/run/netns/default",
        "/cache/docker/overlay2/1/merged",
    ]
    assert mounts.under(Path("/nowhere")) == []


def test_each_of_them_is_taken_away_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "umount"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\nexit 32\n')  # one that is gone already is no error
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    mounts.taken_away(Path("/var/lib/ours"))

    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["--lazy /var/lib/ours/run/netns/default", "--lazy /var/lib/ours/run"]


def test_this_machines_own_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert "/proc" in mounts.points()
