import asyncio
from pathlib import Path
from typing import Any

import pytest

from quality import ask, cases, record
from quality.answers import Answer
from quality.ask import Endpoint
from quality.cases import Case
from quality.errors import NoAnswers
from release.errors import Refused


def collected(asked: list[Case], endpoint: Endpoint, file: Path) -> tuple[record.Record, list[str]]:
    said: list[str] = []
    return asyncio.run(ask.collect(asked, endpoint, file, said.append)), said


@pytest.fixture
def endpoint(server: Any) -> Endpoint:
    return Endpoint(server.url, "tiny", "abc", at_once=4, seconds=5)


def test_a_question_is_asked_greedily_as_its_case_says(asked: list[Case]) -> None:
    case = asked[0].model_copy(update={"max_tokens": 7})

    body = ask.body(case, "tiny")

    assert body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": case.question}],
        "max_tokens": 7,
        "temperature": 0,
    }


def test_each_answer_is_kept_with_whose_it_is(
    asked: list[Case], endpoint: Endpoint, server: Any, tmp_path: Path
) -> None:
    file = tmp_path / "folder/answers.jsonl"

    found, said = collected(asked, endpoint, file)

    assert found.head == record.Head(cases.digest(asked), "tiny", "abc")
    assert {case.id: case.question for case in asked} == {one.id: one.text for one in found.answers.values()}
    assert record.load(file) == found
    assert said == []


def test_what_is_answered_is_not_asked_again(
    asked: list[Case], endpoint: Endpoint, server: Any, tmp_path: Path
) -> None:
    file = tmp_path / "answers.jsonl"
    collected(asked[:1], Endpoint(endpoint.url, "tiny", "abc"), tmp_path / "other.jsonl")  # another set, another file
    head = record.Head(cases.digest(asked), "tiny", "abc")
    record.begin(file, head)
    with file.open("a") as out:
        out.writelines(record.row(record.Said(case.id, "kept")) for case in asked[:70])
    before = len(server.asked)

    found, said = collected(asked, endpoint, file)

    assert len(server.asked) - before == 2
    assert [one.text for one in found.answers.values()].count("kept") == 70
    assert said == [f"70 of 72 answers are in {file} already"]


def test_an_endpoint_that_is_asked_at_once_has_no_more_than_so_many(
    asked: list[Case], endpoint: Endpoint, server: Any, tmp_path: Path
) -> None:
    running, most, answer = 0, 0, server.answer

    async def counted(request: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0.005)
            return await answer(request)
        finally:
            running -= 1

    server.answer = counted
    collected(asked, endpoint, tmp_path / "answers.jsonl")

    assert most == 4


def test_another_models_answers_are_left_alone(asked: list[Case], endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    record.begin(file, record.Head(cases.digest(asked), "other"))

    with pytest.raises(Refused, match=r"another --out"):
        collected(asked, endpoint, file)


def test_an_endpoint_that_is_not_there_leaves_no_file(asked: list[Case], tmp_path: Path) -> None:
    with pytest.raises(NoAnswers, match="connect_error"):
        collected(asked, Endpoint("http://127.0.0.1:9", "tiny"), tmp_path / "answers.jsonl")

    assert not (tmp_path / "answers.jsonl").exists()


def test_a_key_is_shown(asked: list[Case], server: Any, tmp_path: Path) -> None:
    shown, answer = [], server.answer

    async def seen(request: Any) -> Any:
        shown.append(request.headers.get("authorization"))
        return await answer(request)

    server.answer = seen
    collected(asked[:2], Endpoint(server.url, "tiny", key="sk-1"), tmp_path / "answers.jsonl")

    assert set(shown) == {"Bearer sk-1"}


def test_an_answer_that_the_engine_gave_up_is_one_to_score(asked: list[Case]) -> None:
    said = ask.said_of(asked[0], Answer(outcome="engine_abort", text="half", finish="abort"))

    assert said == record.Said(asked[0].id, "half", "engine_abort", "abort")
    assert {"ok", "engine_abort"} == set(ask.ANSWERED)
