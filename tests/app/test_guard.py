"""What goes out of a stream whose answers are cut at sensitive words."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.guard import Guard, holds
from app.said import Said, inside
from app.settings import Settings
from app.words import Words, normal

WORDS = Words(["secret", "河流大桥", "ab ba", "élan"])
SECRETS = re.compile(r"(?<![a-z0-9é])(?:secret|ab ba|élan)(?![a-z0-9é])|河流大桥")


def out(*texts: str, words: Words = WORDS) -> tuple[list[str], bool]:
    """What has gone out after each piece, and whether the stream was cut."""
    guard, seen = Guard(words), []
    for text in texts:
        guard.hear(0, inside(text))
        seen.append(guard.passed(text.encode(), ended=False).decode())
    return [*seen, guard.rest().decode()], guard.cut


@pytest.mark.parametrize(
    ("texts", "passed", "cut"),
    [
        (["the ", "river"], ["the ", "river", ""], False),
        (["a ", "sec", "ret", "."], ["a ", "", "", "", ""], True),
        (["a ", "sec", "ond"], ["a ", "", "second", ""], False),
        (["a secret"], ["", ""], True),
        (["a secret", "ary"], ["", "a secretary", ""], False),
        (["non", "secret "], ["non", "secret ", ""], False),
        (["河", "流", "大", "河"], ["", "", "", "河流大", "河"], False),
        (["过河", "流大", "桥"], ["", "", "", ""], True),
        (["ab b", "c"], ["", "ab bc", ""], False),
        (["e", "\u0301lan "], ["", "", ""], True),
        (["S\u200bE", "", "CRET!"], ["", "", "", ""], True),
    ],
)
def test_nothing_of_a_word_goes_out_and_all_else_does(texts: list[str], passed: list[str], cut: bool) -> None:
    assert out(*texts) == (passed, cut)


@given(some.lists(some.text("secrt ab河流大桥éS\u200b.", max_size=5), max_size=20))
def test_whatever_comes_no_word_gets_out_and_no_other_text_is_lost(texts: list[str]) -> None:
    seen, cut = out(*texts)

    assert SECRETS.search(normal("".join(seen))) is None
    assert cut == bool(SECRETS.search(normal("".join(texts))))
    if not cut:
        assert "".join(seen) == "".join(texts)


def test_choices_are_looked_at_apart_and_keep_their_order() -> None:
    guard = Guard(WORDS)
    guard.hear(0, b"sec")
    assert guard.passed(b"0", ended=False) == b""
    guard.hear(1, b"ret")
    assert guard.passed(b"1", ended=False) == b""
    guard.hear(0, b"ond")
    assert guard.passed(b"2", ended=False) == b"012"


def test_a_whole_answer_is_looked_at_by_its_choices() -> None:
    assert holds(WORDS, Said([[b"good"], [b"sec", b"ret"]]))
    assert not holds(WORDS, Said([[b"sec"], [b"ret"]]))
    assert not holds(WORDS, None)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    settings.words_file, settings.block_words = tmp_path / "words.txt", True
    settings.words_file.write_text("two words\n")
    return settings


CHAT = {"messages": [{"role": "user", "content": "hello"}]}


async def test_a_stream_ends_with_an_error_event_before_the_word(door: Any) -> None:
    _, _, body = await door.post("/v1/chat/completions", {**CHAT, "stream": True})

    assert b"two" not in body
    assert b"[DONE]" not in body
    assert json.loads(body.removeprefix(b"data: "))["error"]["code"] == "content_filter"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/predict"])
async def test_a_whole_answer_is_refused(door: Any, engine: Any, path: str) -> None:
    asked = {"prompt": "hello"} if path == "/predict" else {"input": "hello"} if "resp" in path else CHAT
    status, headers, body = await door.post(path, asked)

    assert (status, json.loads(body)["error"]["code"]) == (400, "content_filter")
    assert "x-sluice-outcome" not in headers
    assert b"two words" not in body
    assert len(engine.asked) == 1


async def test_the_engine_is_not_to_blame_and_the_word_is_counted(door: Any, canary: Any) -> None:
    door.gateway.board.show(canary(100))
    for stream in (True, False):
        await door.post("/v1/chat/completions", {**CHAT, "stream": stream}, x_sluice_user="ann")
    async with asyncio.timeout(5):
        while door.count("sluice_checked_total", arm="canary", check="sensitive", result="bad") < 2:
            await asyncio.sleep(0.01)

    assert door.outcomes() == {"ok": 2}
    assert door.count("sluice_rescues_total") == 0


async def test_the_streamed_events_of_responses_are_cut_too(door: Any) -> None:
    _, _, body = await door.post("/v1/responses", {"input": "hello", "stream": True})

    assert b"two words" not in body
    assert b"content_filter" in body


async def test_counting_alone_lets_every_answer_through(door: Any, settings: Settings) -> None:
    settings.block_words = False
    whole = await door.post("/v1/chat/completions", CHAT)
    stream = await door.post("/v1/chat/completions", {**CHAT, "stream": True})
    async with asyncio.timeout(5):
        while door.count("sluice_checked_total", check="sensitive", result="bad") < 2:
            await asyncio.sleep(0.01)

    assert b"two words" in whole[2]
    assert stream[2].endswith(b"[DONE]\n\n")


async def test_a_new_list_holds_without_a_restart(door: Any, settings: Settings) -> None:
    assert settings.words_file is not None
    settings.words_file.write_text("three words\n")
    door.gateway.words.reload()
    assert (await door.post("/v1/chat/completions", CHAT))[0] == 200

    settings.words_file.write_bytes(b"\xff")
    door.gateway.words.reload()
    assert door.count("sluice_words_file_broken") == 1
