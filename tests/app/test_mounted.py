from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from app.mounted import Mounted


def number(path: Path) -> int:
    return int(path.read_text())


def gauge() -> Gauge:
    return Gauge("broken", "x", registry=CollectorRegistry())


def test_without_a_file_the_default_holds() -> None:
    one = Mounted(None, number, 7, gauge(), "number")
    one.reload()

    assert one.now == 7


def test_a_new_file_holds_and_a_broken_or_missing_one_changes_nothing_but_the_metric(tmp_path: Path) -> None:
    path, broken = tmp_path / "file", gauge()
    path.write_text("1")
    one = Mounted(path, number, 0, broken, "number")
    seen = []
    for text in ("2", "x", "x", "3", None, "4"):
        path.unlink() if text is None else path.write_text(text)
        one.reload()
        seen.append((one.now, broken._value.get()))

    assert seen == [(2, 0), (2, 1), (2, 1), (3, 0), (3, 1), (4, 0)]


def test_a_first_file_that_is_broken_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="invalid literal"):
        Mounted(tmp_path / "file", number, 0, gauge(), "number")


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    path, read = tmp_path / "file", []

    def noted(path: Path) -> int:
        read.append(path)
        return 1

    path.write_text("1")
    one = Mounted(path, noted, 0, gauge(), "number")
    one.reload()

    assert len(read) == 1
