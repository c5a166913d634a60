import json
from collections.abc import Callable
from pathlib import Path

from quality import judge, record, report
from quality.cases import Case
from rollouts import gates


def test_a_difference_is_read_word_by_word_in_english() -> None:
    found = report.difference("The river is the Tisk.", "The river is the Marl.")
    assert found == [("same", "The river is the"), ("gone", "Tisk"), ("new", "Marl"), ("same", ".")]


def test_a_difference_is_read_character_by_character_in_chinese() -> None:
    assert report.difference("维兰的河是提斯河。", "维兰的河是红叶河。") == [
        ("same", "维兰的河是"),
        ("gone", "提斯"),
        ("new", "红叶"),
        ("same", "河。"),
    ]


def test_equal_answers_have_no_difference() -> None:
    assert report.difference("a b", "a b") == [("same", "a b")]
    assert report.difference("", "") == []


def test_the_page_shows_the_worst_answers_and_what_the_proof_counted(
    asked: list[Case], answered: Callable[..., record.Record], tmp_path: Path
) -> None:
    good, bad = answered(), answered(20, lambda text: text.replace("Tisk", "<Kip>"))
    trials = [
        report.Trial(name, "pass", judge.judge(asked, one, good, gates.load().quality), one)
        for name, one in (("good", good), ("bad", bad))
    ]
    extra = {"spread": {"seeds": 2, "bleu": {"scores": [1.5, 2.5], "enough": True}}}
    report.write({"commit": "abc-dirty", "started": "then"}, trials, asked, good, tmp_path, extra)
    page = (tmp_path / "index.html").read_text()
    assert "<del>Tisk</del>" in page
    assert "&lt;" in page
    assert "<Kip>" not in page
    assert "scores 1.5 · 2.5, enough True" in page
    assert "Commit abc-dirty with changes, started then" in page
    written = json.loads((tmp_path / "report.json").read_text())
    assert [row["name"] for row in written["cases"]] == ["good", "bad"]
    assert written["spread"]["seeds"] == 2
    assert (written["commit"], written["started"]) == ("abc-dirty", "then")
    assert written["answers"]["bad"] == {one.id: one.text for one in bad.answers.values()}
    assert set(written["answers"]) == {"baseline", "good", "bad"}
