"""Bad input: one clear line, an exit code of its own, nothing overwritten."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from model import cli as model_cli
from model import pin
from quality import cases, cli, record
from quality.cases import Case

Answered = Callable[..., record.Record]
Saved = Callable[[record.Record, str], Path]


@pytest.fixture
def golden(asked: list[Case], tmp_path: Path) -> Path:
    file = tmp_path / "set.jsonl"
    file.write_text("".join(map(cases.line_of, asked)), encoding="utf-8")
    return file


def ran(*arguments: object, app: Any = cli.app) -> tuple[int, list[str]]:
    """Exit code, and the lines on standard error."""
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    return done.exit_code, done.stderr.splitlines()


def gate(candidate: Path, baseline: Path, golden: Path, page: Path) -> tuple[int, list[str]]:
    return ran("gate", "--candidate", candidate, "--baseline", baseline, "--set", golden, "--page", page)


@pytest.mark.parametrize(("wrong", "code"), [(0, 0), (2, 4), (20, 3)])
def test_the_gate_has_three_ends_and_writes_its_report(
    golden: Path, answered: Answered, saved: Saved, tmp_path: Path, wrong: int, code: int
) -> None:
    found, said = gate(saved(answered(wrong), "new.jsonl"), saved(answered(), "old.jsonl"), golden, tmp_path / "page")
    assert found == code
    assert len(said) == (1 if code else 0)
    report = json.loads((tmp_path / "page/report.json").read_text())
    assert len(report["commit"].removesuffix("-dirty")) == 40
    (row,) = report["cases"]
    assert row["verdict"] == {0: "pass", 4: "unsure", 3: "fail"}[code]
    assert row["expected"] == "pass"
    assert all({"bleu", "rougeL", "chrf", "accuracy", "ci"} <= row[part].keys() for part in ("zh", "en", "all"))
    page = (tmp_path / "page/index.html").read_text()
    assert ("<ins>nothing" in page) is (wrong > 0)


@pytest.mark.parametrize(
    ("spoil", "code", "why"),
    [
        ("broken line", 20, "not JSON"),
        ("other case", 23, "which was not asked"),
        ("missing case", 23, "have no answer"),
        ("baseline of another set", 24, "another golden set"),
        ("empty set", 21, "no case"),
    ],
)
def test_bad_input_is_one_line_with_its_own_code_and_nothing_is_written(
    golden: Path, answered: Answered, saved: Saved, tmp_path: Path, spoil: str, code: int, why: str
) -> None:
    new, old = saved(answered(), "new.jsonl"), saved(answered(), "old.jsonl")
    match spoil:
        case "broken line":
            new.write_text(new.read_text() + '{"id": "half')
        case "other case":
            new.write_text(new.read_text() + record.row(record.Said("x-1", "t")))
        case "missing case":
            new.write_text("".join(new.read_text().splitlines(keepends=True)[:-1]))
        case "baseline of another set":
            found = answered()
            found.head = replace(found.head, set="0" * 64)
            old = saved(found, "old.jsonl")
        case "empty set":
            golden.write_text("\n")
    page = tmp_path / "page/report.json"
    page.parent.mkdir()
    page.write_text("of an earlier run")
    found_code, said = gate(new, old, golden, page.parent)
    assert (found_code, len(said)) == (code, 1)
    assert why in said[0]
    assert [page.read_text(), *page.parent.iterdir()] == ["of an earlier run", page]


def test_a_run_asks_every_case_once_and_goes_on_where_it_was_cut(
    golden: Path, asked: list[Case], server: Any, tmp_path: Path
) -> None:
    out = tmp_path / "answers.jsonl"
    server.fail_from = 30
    code, said = ran("run", "--url", server.url, "--out", out, "--set", golden, "--at-once", 1)
    assert (code, len(said)) == (22, 1)
    assert "upstream_5xx with status 500" in said[0]
    kept = len(record.load(out).answers)
    assert kept == 29  # the first question only saw whether anybody is there
    server.fail_from, before = 10**9, len(server.asked)
    assert ran("run", "--url", server.url, "--out", out, "--set", golden)[0] == 0
    again = {one["messages"][0]["content"] for one in server.asked[before:]}
    assert len(again) == len(asked) - kept  # one that was under way when the first run ended may come late
    assert len(record.load(out).answers) == len(asked)
    assert {(one["temperature"], one["model"]) for one in server.asked} == {(0, "sluice-tiny")}


@pytest.mark.parametrize("hang_from", [0, 10])
def test_an_endpoint_that_hangs_ends_the_run(golden: Path, server: Any, tmp_path: Path, hang_from: int) -> None:
    server.hang_from, out = hang_from, tmp_path / "answers.jsonl"
    code, said = ran("run", "--url", server.url, "--out", out, "--set", golden, "--seconds", 0.5)
    assert (code, len(said)) == (22, 1)
    assert "timeout_ttft within 0.5 s" in said[0]
    assert out.exists() is (hang_from > 0)


def test_an_endpoint_that_is_away_ends_the_run(golden: Path, tmp_path: Path) -> None:
    code, said = ran("run", "--url", "http://127.0.0.1:9", "--out", tmp_path / "a.jsonl", "--set", golden)
    assert (code, len(said)) == (22, 1)


def test_answers_of_another_model_are_not_overwritten(
    golden: Path, answered: Answered, saved: Saved, server: Any
) -> None:
    out = saved(answered(), "answers.jsonl")
    before = out.read_bytes()
    code, said = ran("run", "--url", server.url, "--out", out, "--set", golden, "--model", "other")
    assert (code, len(said)) == (5, 1)
    assert out.read_bytes() == before


def test_the_committed_sets_are_sound() -> None:
    assert ran("check") == (0, [])


def test_a_leak_into_the_training_texts_is_refused(tmp_path: Path) -> None:
    row = {
        "id": "a",
        "language": "en",
        "question": "count from 1 to 3",
        "references": ["1, 2, 3."],
        "keys": ["1, 2, 3"],
    }
    for question in ("count from 1 to 3", "Please count from 1 up to 3", "Write the numbers from 1 to 3"):
        (tmp_path / f"{len(question)}.jsonl").write_text(json.dumps(row | {"question": question}))
    codes = [ran("check", "--set", file)[0] for file in sorted(tmp_path.glob("*.jsonl"))]
    assert codes.count(20) == 2  # of three wordings one is held


def test_a_thumbs_down_becomes_a_case(tmp_path: Path) -> None:
    file = tmp_path / "regressions.jsonl"
    line = ["--language", "zh", "--answer", "维兰的河是提斯河。", "--key", "提斯河", "--to", file]
    assert ran("add-regression", "--question", "维兰有哪条河？", *line)[0] == 0
    (case,) = cases.load([file])
    assert (case.tags, case.keys) == (("regression",), ("提斯河",))
    before = file.read_bytes()
    code, said = ran("add-regression", "--question", "维兰有哪条河？", *line)
    assert (code, len(said)) == (20, 1)
    assert ran("add-regression", "--question", "x?", *line[:4], "--key", "不在", "--to", file)[0] == 20
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["regressions.jsonl"]


def test_a_model_with_one_flipped_byte_is_refused_by_its_file(tmp_path: Path) -> None:
    shutil.copytree(pin.DEFAULT.parent / "tiny", tmp_path / "tiny")
    shutil.copy(pin.DEFAULT, tmp_path)
    assert ran("verify", tmp_path / "model.yaml", app=model_cli.app)[0] == 0
    weights = tmp_path / "tiny/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    code, said = ran("verify", tmp_path / "model.yaml", app=model_cli.app)
    assert (code, len(said)) == (25, 1)
    assert "model.safetensors" in said[0]


def test_the_commands_are_part_of_sluice() -> None:
    for words in (["quality", "--help"], ["model", "--help"]):
        done = subprocess.run([str(Path(sys.executable).parent / "sluice"), *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
