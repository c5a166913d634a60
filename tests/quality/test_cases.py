import json
from pathlib import Path
from typing import Any

import pytest

from model import world
from quality import cases, prompts
from quality.errors import BadFile, EmptySet

GOOD: dict[str, Any] = {"id": "a", "language": "en", "question": "Who?", "references": ["It is Ada."], "keys": ["Ada"]}


def written(folder: Path, *rows: dict[str, Any] | str) -> Path:
    file = folder / "set.jsonl"
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return file


def test_the_committed_set_is_sound_and_leaks_nothing() -> None:
    found = cases.load()
    cases.refuse_leaks(found, [pair.question for pair in world.trained()])
    assert len(found) >= 600
    assert {case.language for case in found} == {"en", "zh", "mixed"}
    assert max(len(case.references) for case in found) > 1
    assert {"known-wording", "new-wording", "regression"} <= {tag for case in found for tag in case.tags}


def test_what_the_prober_asks_is_trained_nowhere_either() -> None:
    trained = {pair.question for pair in world.trained()}
    asked = [golden.prompt or golden.messages[-1]["content"] for golden in prompts.load()]
    assert [text for text in asked if text in trained] == []


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "Invalid JSON"),
        (GOOD | {"references": []}, "references"),
        (GOOD | {"references": ["  "]}, "references"),
        (GOOD | {"keys": []}, "keys"),
        (GOOD | {"language": "fr"}, "language"),
        (GOOD | {"colour": 1}, "colour"),
        (GOOD | {"id": "B C"}, "id"),
        (GOOD | {"references": ["It is Bo."]}, "holds none of the keys"),
    ],
)
def test_a_wrong_line_is_refused_by_file_and_number(tmp_path: Path, row: dict[str, Any] | str, why: str) -> None:
    file = written(tmp_path, GOOD, row)
    with pytest.raises(BadFile, match=rf"set\.jsonl:2: .*{why}"):
        cases.load([file])


@pytest.mark.parametrize("other", [GOOD | {"question": "Whom?"}, GOOD | {"id": "b", "question": "who? "}])
def test_a_second_line_with_the_same_id_or_question_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    with pytest.raises(BadFile, match=r"set\.jsonl:2: .* stands in .*set\.jsonl:1 already"):
        cases.load([written(tmp_path, GOOD, other)])


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptySet, match="no case"):
        cases.load([written(tmp_path, "")])
    (tmp_path / "sub").mkdir()
    with pytest.raises(EmptySet):
        cases.load([tmp_path / "sub"])


def test_a_question_of_the_training_texts_is_a_leak_in_any_writing() -> None:
    case = cases.case_of(json.dumps(GOOD), "here")
    cases.refuse_leaks([case], ["Who else?"])
    with pytest.raises(BadFile, match="a first"):
        cases.refuse_leaks([case], ["  WHO！"])


def test_the_digest_sees_what_is_asked_and_not_the_order_or_the_tags() -> None:
    one, two = (cases.case_of(json.dumps(GOOD | {"id": name, "question": name}), "here") for name in "ab")
    assert cases.digest([one, two]) == cases.digest([two, one.model_copy(update={"tags": ("t",)})])
    assert cases.digest([one]) != cases.digest([one.model_copy(update={"keys": ("Bo",)})])


def test_a_case_survives_being_written() -> None:
    case = cases.case_of(json.dumps(GOOD | {"tags": ["x"]}), "here")
    assert cases.case_of(cases.line_of(case), "there") == case
