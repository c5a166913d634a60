from pathlib import Path

import pytest

from quality import cases, cli, record, regression, text
from quality.errors import BadFile


def test_a_case_is_named_after_its_question_and_tagged() -> None:
    case = regression.made("Who?", "It is Ada.", ["Ada"], "en")
    assert case.id.startswith("regression-")
    assert case.id == regression.made("Who?", "Ada.", ["Ada"], "en").id
    assert case.tags == ("regression",)


def test_an_answer_without_its_key_is_no_case() -> None:
    with pytest.raises(BadFile, match="holds none of the keys"):
        regression.made("Who?", "It is Bo.", ["Ada"], "en")


def test_what_another_file_of_the_folder_asks_already_is_refused(tmp_path: Path) -> None:
    first = regression.made("Who?", "It is Ada.", ["Ada"], "en", "first")
    (tmp_path / "world.jsonl").write_text(cases.line_of(first))
    with pytest.raises(BadFile, match="stands in"):
        regression.added(regression.made("who?", "It is Ada.", ["Ada"], "en", "second"), tmp_path / "regressions.jsonl")
    assert [file.name for file in tmp_path.iterdir()] == ["world.jsonl"]


def test_a_case_joins_those_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "regressions.jsonl"
    file.write_text(cases.line_of(regression.made("Who?", "It is Ada.", ["Ada"], "en")).rstrip())
    regression.added(regression.made("Where?", "In Velan.", ["Velan"], "en"), file)
    assert [case.question for case in cases.load([file])] == ["Who?", "Where?"]


MENDED = [case for case in cases.load() if regression.REGRESSION in case.tags]


@pytest.mark.parametrize("case", MENDED, ids=lambda case: case.id)
def test_what_once_went_wrong_is_right_in_the_live_releases_answers(case: cases.Case) -> None:
    answer = record.load(cli.BASELINE).answers[case.id]
    assert any(text.holds(answer.text, key) for key in case.keys)
