from pathlib import Path

import pytest

from lab.footprint import Footprint


def told(file: Path, available: int) -> None:
    file.write_text(f"MemTotal: {24 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {available * 2**20} kB\n")


def test_the_peak_is_kept_and_counts_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Footprint, "pause", 60)  # only the samples below
    meminfo = tmp_path / "meminfo"
    taken = iter([10 * 2**30, 13 * 2**30, 11 * 2**30])
    monkeypatch.setattr("lab.footprint.shutil.disk_usage", lambda _: type("Usage", (), {"used": next(taken)}))
    told(meminfo, 20)
    with Footprint(tmp_path, meminfo) as seen:
        for available in (12, 16):
            told(meminfo, available)
            seen.look()

    assert seen.figures().memory_gib == 8.0
    assert seen.figures().disk_gib == 3.0


def test_it_samples_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Footprint, "pause", 0.01)
    meminfo = tmp_path / "meminfo"
    told(meminfo, 20)
    with Footprint(tmp_path, meminfo) as seen:
        told(meminfo, 19)
        while seen.peak[0] == seen.before[0]:
            seen.done.wait(0.01)

    assert seen.figures().memory_gib == 1.0
