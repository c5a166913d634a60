import asyncio
from dataclasses import replace
from typing import Any

import pytest

from app import checks
from app.checks import Checker
from app.metrics import CHECKS, Metrics
from app.question import NOTHING, Question
from app.said import Said, inside
from app.words import Words

WHERE = ("n/llm", "v2-r2", "5", "canary", "user")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("The town lies by the river.", set()),
        ("  \n ", {"empty"}),
        ("a \ufffd b", {"replacement"}),
        ("!" * 32, {"repetition"}),
        ("well, " + "the river " * 12, {"repetition"}),
        ("河流" * 20, {"repetition"}),
        ("hahahahaha", set()),
        ("| a | b |\n|---|---|\n| 1 | 2 |", set()),
        ("0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14", set()),
    ],
)
def test_what_is_wrong_with_a_text(text: str, wrong: set[str]) -> None:
    assert wrong_with(text) == wrong


def wrong_with(text: str, asked: Question = NOTHING, words: Words | None = None, short: bool = False) -> set[str]:
    said = Said([[inside(text)]], short)
    return {check for check, bad in checks.found(said, asked, words or Words()).items() if bad}


@pytest.mark.parametrize(
    ("text", "kind", "wrong"),
    [
        ('{"a": 1}', "json_object", set()),
        ("[1]", "json_object", {"json"}),
        ("[1]", "json_schema", set()),
        ('{"a": 1', "json_schema", {"json"}),
        ("Here it is: {}", "json_object", {"json"}),
        ("plain", "", set()),
    ],
)
def test_json_is_expected_only_where_it_was_asked_for(text: str, kind: str, wrong: set[str]) -> None:
    assert wrong_with(text, Question("", kind)) == wrong


def test_half_a_json_is_no_fault_where_the_client_allowed_no_more() -> None:
    assert wrong_with('{"a": 1', Question("", "json_object"), short=True) == set()


def test_an_answer_in_another_script_than_it_was_asked_in_is_found() -> None:
    english = "The town lies by the river."

    assert wrong_with(english, Question("这座城市在哪里？")) == {"script"}
    assert wrong_with("这座城市在河边。", Question("Where does this town lie?")) == {"script"}
    assert wrong_with(english, Question("Where does this town lie?")) == set()
    assert "script" not in checks.found(Said([[inside(english)]]), Question("42?"), Words())


def test_sensitive_words_are_looked_for_where_there_is_a_list() -> None:
    assert wrong_with("the secret river", words=Words(["secret"])) == {"sensitive"}
    assert wrong_with("the river", words=Words(["secret"])) == set()
    assert "sensitive" not in checks.found(Said([[inside("secret")]]), NOTHING, Words())


def test_each_of_several_texts_is_looked_at_for_itself() -> None:
    both = Said([[inside('{"a":'), inside(" 1}")], [inside("{}")]])

    assert not checks.found(both, Question("", "json_object"), Words())["json"]
    assert checks.found(Said([*both.texts, [b"x"]]), Question("", "json_object"), Words())["json"]


async def test_bytes_that_are_no_text_are_found_too() -> None:
    metrics = Metrics(60)
    Checker(metrics).look(WHERE, Said([[b"\xff"]]))

    assert metrics.checked.labels(*WHERE, "replacement", "bad")._value.get() == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_good_answers_are_looked_at_by_arm_and_no_others(
    door: Any, canary: Any, engine: Any, stream: bool
) -> None:
    door.gateway.board.show(canary(100))
    body = {"model": "tiny", "prompt": "hello", "stream": stream}
    await door.post("/v1/completions", body, x_sluice_user="ann")
    engine.mode = "empty"
    await door.post("/v1/completions", body, x_sluice_user="ann")
    door.gateway.budget.share, engine.mode = 0, "500"
    await door.post("/v1/completions", body, x_sluice_user="ann")
    await asyncio.sleep(0.05)

    counted = {
        (check, result): door.count("sluice_checked_total", arm="canary", step="100", check=check, result=result)
        for check in ("empty", "replacement", "repetition")
        for result in ("ok", "bad")
    }
    assert counted[("empty", "bad")] == counted[("empty", "ok")] == 1
    assert (counted[("replacement", "ok")], counted[("repetition", "ok")]) == (2, 2)
    assert door.count("sluice_checked_total", arm="stable") == 0


async def test_an_answer_beyond_the_users_cap_is_not_looked_at(door: Any, canary: Any) -> None:
    door.gateway.board.show(replace(canary(100), release="v3-r3"))
    for _ in range(7):
        await door.post("/v1/completions", {"prompt": "hello"}, x_sluice_user="ann")
    await asyncio.sleep(0.05)

    assert door.count("sluice_checked_total", check="empty") == 5


async def test_when_too_many_wait_the_oldest_go_unseen() -> None:
    checker = Checker(Metrics(60))
    for _ in range(checks.QUEUED + 5):
        checker.add(WHERE, Said([[b"a"]]))

    assert len(checker.waiting) == checks.QUEUED


async def test_what_the_request_asked_for_is_looked_for(door: Any, engine: Any) -> None:
    body = {"messages": [{"role": "user", "content": "这座城市在哪里？"}], "response_format": {"type": "json_object"}}
    await door.post("/v1/chat/completions", body)
    await door.post("/v1/chat/completions", {"messages": body["messages"], "stream": True})
    await asyncio.sleep(0.05)

    assert door.count("sluice_checked_total", check="json", result="bad") == 1
    assert door.count("sluice_checked_total", check="script", result="ok") == 1  # two words are in no script
    assert door.count("sluice_checked_total", check="sensitive") == 0
    children = {s.labels["check"] for m in door.gateway.metrics.checked.collect() for s in m.samples}
    assert children == set(CHECKS)
