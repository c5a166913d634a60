import json
from pathlib import Path
from typing import Any

import pytest

from release.audit import Entry
from release.summary import PERF, QUALITY, publish, reported, tables

GROUP = {"bleu": 71.2, "chrf": 80.1, "accuracy": 0.98, "cases": 300, "ci": {"bleu": [-0.4, 0.3]}}
TRIAL = {"name": "candidate", "expected": "pass", "verdict": "fail", "reason": "bleu", "zh": GROUP, "all": GROUP}
RATIO = {"ratio": 0.81, "ci": [0.79, 0.83], "verdict": "fail"}
THROUGHPUT: dict[str, Any] = {
    "verdict": "fail",
    "valid": True,
    "doubts": [],
    "candidate": "r/engine@sha256:ab",
    "hardware": "NVIDIA L4",
    "metrics": {"tokens_per_second": RATIO},
    "floors": [{"name": "tokens/s on x", "reached": 812.0, "needed": 900.0, "verdict": "fail"}],
}


def write(root: Path, path: Path, document: object) -> None:
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(json.dumps(document))


def test_both_gates_are_tables(tmp_path: Path) -> None:
    write(tmp_path, QUALITY, {"cases": [TRIAL]})
    write(tmp_path, PERF, THROUGHPUT)
    text = tables(tmp_path, "")
    assert "| candidate | fail | pass | zh | 300 | 71.2 | – | 80.1 | – | 0.98 | [-0.4, 0.3] |" in text
    assert "| tokens_per_second | 0.810 | [0.790, 0.830] | fail |" in text
    assert "- tokens/s on x: 812 of 900 needed, fail" in text
    widths = {line.count("|") for line in text.split("### Throughput")[0].splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_it_says_which_engine_it_was(tmp_path: Path) -> None:
    write(tmp_path, PERF, THROUGHPUT)
    assert "Engine: `r/engine@sha256:ab` on `NVIDIA L4`." in tables(tmp_path, "")
    (tmp_path / PERF).write_text(json.dumps(THROUGHPUT | {"candidate": str(tmp_path), "hardware": "cpu"}))
    assert "Engine: this tree's on `cpu`." in tables(tmp_path, "")
    write(tmp_path, QUALITY, {"cases": [TRIAL]})
    assert "Engine: vLLM for the CPU." in tables(tmp_path, "h100-pool")


def test_it_says_where_it_ran_and_what_did_not(tmp_path: Path) -> None:
    assert "Ran on a hosted runner." in tables(tmp_path, "")
    assert "Ran on the runner `h100-pool`." in tables(tmp_path, "h100-pool")
    assert tables(tmp_path, "").count("Did not run here.") == 2


def test_a_run_that_says_nothing_and_a_first_release_are_named(tmp_path: Path) -> None:
    run = THROUGHPUT | {"valid": False, "doubts": ["the tool was late"], "metrics": {}, "first_release": True}
    write(tmp_path, PERF, run)
    text = tables(tmp_path, "")
    assert "not valid: the tool was late" in text
    assert "No live release to compare with" in text


def test_the_jobs_page_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page"))
    publish("a\n")
    publish("b\n")
    assert (tmp_path / "page").read_text() == "a\nb\n"
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    publish("c\n")
    assert (tmp_path / "page").read_text() == "a\nb\n"


def test_the_page_of_a_verdicts_run_is_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page"))
    stopped = Entry("prod", "v1.2.0", "verdict", verdict="aborted", reason="bad-share failed")
    asked = reported(stopped, lambda: ["40 of 120 bad", "stable: 1 of 900"])
    assert not (tmp_path / "page").exists()  # git comes first, the figures take their time
    assert asked() == ["40 of 120 bad", "stable: 1 of 900"]
    said = "### v1.2.0 aborted in prod\n\nReason: bad-share failed\n\n- 40 of 120 bad\n- stable: 1 of 900\n"
    assert (tmp_path / "page").read_text() == said
    assert reported(Entry("dev", "v1.0.0", "verdict", verdict="promoted"), list)() == []
    assert (tmp_path / "page").read_text().endswith("promoted in dev\n\n- No figures: no cluster was asked.\n")
