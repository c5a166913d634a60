import shutil
from pathlib import Path

import pytest

from lab import forked, paths
from lab.errors import NotReady


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in {*forked.VALUES, *forked.UPSTREAM}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.ROOT / name, tmp_path / name)
    return tmp_path


def test_every_value_that_a_fork_writes_is_there_to_be_written(clone: Path) -> None:
    forked.changed(clone, forked.VALUES)
    assert not forked.both(clone)  # the template's own change is still to come
    forked.changed(clone, forked.UPSTREAM)
    assert forked.both(clone)


def test_a_value_that_is_gone_is_named(clone: Path) -> None:
    forked.changed(clone, forked.VALUES)
    with pytest.raises(NotReady, match="correct lab/forked"):
        forked.changed(clone, forked.VALUES)


def test_a_target_that_fails_is_told_in_one_line(clone: Path) -> None:
    (clone / "Makefile").write_text("gates:\n\t@echo broken >&2; false\n")
    with pytest.raises(NotReady, match=r"make gates: broken"):
        forked.make(clone, "gates")
