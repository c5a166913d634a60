import asyncio
from dataclasses import replace
from typing import Any

import pytest

from app import checks, sse
from app.checks import Checker
from app.metrics import Metrics

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
    assert {check for check, bad in checks.found(text).items() if bad} == wrong


def test_a_character_in_two_pieces_is_whole_and_half_of_one_is_not() -> None:
    assert checks.text_of([rb"\ud83d", rb"\ude00"]) == "\U0001f600"
    assert checks.text_of([rb"a\ud83d"]) == "a\ufffd"


async def test_bytes_that_are_no_text_are_found_too() -> None:
    metrics = Metrics(60)
    Checker(metrics).look(WHERE, [b"\xff"])

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
        checker.add(WHERE, [sse.inside("a")])

    assert len(checker.waiting) == checks.QUEUED
