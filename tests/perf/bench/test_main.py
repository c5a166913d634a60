import json
from pathlib import Path
from typing import Any

import pytest

from perf.bench import __main__ as bench
from perf.bench.rounds import Raw

NAMES = {
    *("commit", "added_p50_ms", "added_p99_ms", "splice_ratio", "rps_core", "bound_share", "frames_core"),
    *("lost_frames", "added_itl_p99_ms", "added_ttft_p50_ms", "toks_ratio", "cpu_ms_per_request", "raw"),
}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the rounds would find: latency in ms, direct and through the gateway."""
    found = {"direct": 0.1, "splice": 0.2, "gateway": 0.4}

    async def rounds(raw: Raw, *_: Any) -> None:
        for name, value in found.items():
            raw.add(f"latency.{name}", {"p50_ms": value, "p99_ms": value})

    async def profiled(*_: Any) -> list[str]:
        return [" 99.0% own   busy (app/busy.py:1)"]

    monkeypatch.setattr(bench, "against_the_blank", rounds)
    monkeypatch.setattr(bench, "profiled", profiled)
    monkeypatch.setattr(bench.os, "sched_setaffinity", lambda *_: None)
    return found


def test_the_report_has_every_name_and_its_targets(measured: dict[str, float], tmp_path: Path) -> None:
    assert bench.main(["--engine", "none", "--out", str(tmp_path)]) == 0

    found = json.loads((tmp_path / "report.json").read_text())
    assert set(found) >= NAMES
    assert found["targets"] == {"added_p50_ms": "met", "added_p99_ms": "met", "splice_ratio": "met"}
    assert found["profile"] == []


def test_a_missed_target_is_named_by_how_much_with_a_profile(
    measured: dict[str, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured["gateway"] = 1.3
    assert bench.main(["--engine", "none", "--out", str(tmp_path)]) == 3

    said = capsys.readouterr().err
    assert "added_p50_ms missed by 20%" in said
    assert said.count("\n") == 1
    assert "busy (app/busy.py:1)" in (tmp_path / "profile.txt").read_text()
