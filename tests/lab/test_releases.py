import subprocess
from pathlib import Path

import pytest

from lab import paths, releases


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / "kept.txt").write_text("one\n")
    (root / "gone.txt").write_text("two\n")
    (root / ".gitignore").write_text("build\n")
    releases.committed(root, "first")
    monkeypatch.setattr(paths, "ROOT", root)
    return root


def test_a_clone_of_a_clean_checkout_is_at_its_commit(checkout: Path, tmp_path: Path) -> None:
    head = releases.git(checkout, "rev-parse", "HEAD").strip()

    assert releases.clone(tmp_path / "clone").commit == head


def test_uncommitted_changes_go_along_as_a_commit_of_the_clones_own(checkout: Path, tmp_path: Path) -> None:
    head = releases.git(checkout, "rev-parse", "HEAD").strip()
    (checkout / "kept.txt").write_text("changed\n")
    (checkout / "gone.txt").unlink()
    (checkout / "new.txt").write_text("new\n")
    (checkout / "build").mkdir()
    (checkout / "build/left.txt").write_text("ignored\n")

    clone = releases.clone(tmp_path / "clone")

    assert clone.commit != head
    assert sorted(path.name for path in clone.folder.iterdir()) == [".git", ".gitignore", "kept.txt", "new.txt"]
    assert (clone.folder / "kept.txt").read_text() == "changed\n"
    assert releases.git(checkout, "rev-parse", "HEAD").strip() == head


def test_another_start_of_the_engine_is_another_commit(checkout: Path) -> None:
    (checkout / "model").mkdir()
    (checkout / "model/model.yaml").write_text("id: x\nargs:\n- --one\n")
    before = releases.committed(checkout, "model")

    after = releases.relaunched(before, "--two=2")

    assert after.commit != before.commit
    assert (checkout / "model/model.yaml").read_text() == "id: x\nargs:\n- --two=2\n- --one\n"
