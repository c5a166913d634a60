from collections.abc import Callable
from pathlib import Path

import pytest

from quality import record
from quality.cases import Case
from quality.errors import BadFile, OtherCases, OtherSet

Saved = Callable[[record.Record, str], Path]
HEAD = '{"set": "s", "model": "m", "sha256": ""}\n'


def test_a_record_survives_being_written(answered: Callable[..., record.Record], saved: Saved) -> None:
    assert record.load(saved(answered(2), "a.jsonl")) == answered(2)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "empty"),
        (HEAD + "{", r"a\.jsonl:2: not JSON"),
        (HEAD + "[]", r"a\.jsonl:2: not a JSON object"),
        (HEAD + '{"id": "a"}', r"a\.jsonl:2: .*text"),
        (HEAD + '{"id": "a", "text": 3}', "every value is a text"),
        ('{"id": "a", "text": "b"}', r"a\.jsonl:1: .*'id'"),
        (HEAD + '{"id": "a", "text": "b"}\n{"id": "a", "text": "c"}', "a second answer to a"),
    ],
)
def test_a_broken_record_is_refused_by_file_and_line(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(BadFile, match=why):
        record.load(tmp_path / "a.jsonl")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none\.jsonl: cannot be read"):
        record.load(tmp_path / "none.jsonl")


def test_answers_must_be_to_exactly_these_cases(answered: Callable[..., record.Record], asked: list[Case]) -> None:
    found, file = answered(), Path("a.jsonl")
    record.matched(found, asked, file, "candidate")
    with pytest.raises(OtherSet, match="baseline of another golden set"):
        record.matched(found, asked[1:], file, "baseline")
    with pytest.raises(OtherCases, match="another golden set"):
        record.matched(found, asked[1:], file, "candidate")
    del found.answers["en-3"]
    with pytest.raises(OtherCases, match="1 cases have no answer, en-3 first"):
        record.matched(found, asked, file, "candidate")
    found.answers["x"] = record.Said("x", "t")
    with pytest.raises(OtherCases, match="answers x, which was not asked"):
        record.matched(found, asked, file, "candidate")
