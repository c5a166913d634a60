from pathlib import Path

import pytest

from lab import load
from lab.measures import read
from lab.traffic import Traffic


def test_users_come_until_they_are_told_to_stop_and_each_leaves_a_line(tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    users = load.Load(Traffic("http://127.0.0.1:9", 200, out=out, model="m"))  # nobody listens: all fails at once
    users.start()
    while not out.exists() or not out.read_text().count("\n"):
        users.thread.join(0.01)
    summary = users.stop()

    assert summary.total == len(read(out)) > 0
    assert summary.failed_stable == summary.total  # no answer is held against stable
    assert not users.thread.is_alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_traffic_that_could_not_start_is_no_empty_success(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    users = load.Load(Traffic("http://127.0.0.1:9", 1, out=tmp_path / "file/requests.jsonl", model="m"))
    users.start()

    with pytest.raises(RuntimeError, match="ended in an error"):
        users.stop()


def test_whoever_forgets_to_stop_it_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LONGEST_SECONDS", 0.05)
    users = load.Load(Traffic("http://127.0.0.1:9", 50, out=tmp_path / "requests.jsonl", model="m"))
    users.start()
    users.thread.join(10)

    assert users.summary is not None
