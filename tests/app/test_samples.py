import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.redaction import MAX_CHARS
from app.said import Said
from app.samples import answered, single
from app.settings import Settings
from app.store import Store
from tests.app.conftest import KEY, Door, opened

SECRET = "my card is 4111 1111 1111 1111"
CHAT = {"messages": [{"role": "user", "content": SECRET}]}


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str]]:
    """What the store was given, by query."""
    found: dict[str, tuple[str, str]] = {}

    async def record(self: Store, query_id: str, prompt: str, answer: str) -> None:
        assert await self.knows(query_id)  # its row is there before
        found[query_id] = (prompt, answer)

    monkeypatch.setattr(Store, "record", record, raising=False)
    return found


@pytest.fixture
def sampled(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/db", "record_share": 1.0})


@pytest.fixture
async def door(sampled: Settings, kept: Any) -> AsyncIterator[Door]:
    async with opened(sampled) as found:
        yield found


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not ready():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_sample_is_kept_redacted_with_its_answer(door: Door, kept: Any, stream: bool) -> None:
    await door.post("/v1/chat/completions", {**CHAT, "stream": stream}, x_request_id="q-1")

    await until(lambda: "q-1" in kept)
    prompt, answer = kept["q-1"]
    assert json.loads(prompt) == [{"role": "user", "content": "my card is [card]"}]
    assert answer == "two words"
    assert not door.gateway.samples.waiting


async def test_a_single_text_stands_as_it_is(door: Door, kept: Any) -> None:
    await door.post("/predict", {"prompt": SECRET}, x_request_id="q-1")
    await door.post("/v1/responses", {"input": "a", "instructions": "b"}, x_request_id="q-2")

    await until(lambda: len(kept) == 2)
    assert kept["q-1"] == ("my card is [card]", "two words")
    assert json.loads(kept["q-2"][0]) == {"input": "a", "instructions": "b"}


async def test_a_failure_is_kept_without_an_answer(door: Door, engine: Any, kept: Any) -> None:
    engine.mode = "500"
    await door.post("/v1/completions", {"prompt": "a"}, x_request_id="q-1")

    await until(lambda: "q-1" in kept)
    assert kept["q-1"] == ("a", "")


async def test_an_answer_that_is_one_of_several_is_left_out(door: Door, kept: Any) -> None:
    await door.post("/v1/completions", {"prompt": ["a", "b"]}, x_request_id="q-1")

    await until(lambda: "q-1" in kept)
    assert kept["q-1"] == ('["a", "b"]', "")


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_was_blocked_is_left_out(
    sampled: Settings, tmp_path: Path, kept: Any, stream: bool
) -> None:
    (tmp_path / "words").write_text("two words\n")
    blocking = sampled.model_copy(update={"words_file": tmp_path / "words", "block_words": True})
    async with opened(blocking) as door:
        await door.post("/v1/chat/completions", {**CHAT, "stream": stream}, x_request_id="q-1")
        await until(lambda: "q-1" in kept)

    assert kept["q-1"][1] == ""


LONG = "x" * (MAX_CHARS + 1)


@pytest.mark.parametrize("asked", ["a", None, [{"role": "user", "content": "a"}], [{"role": "tool", "content": [{}]}]])
def test_one_text_or_one_chat_is_a_question(asked: Any) -> None:
    assert single(asked)


@pytest.mark.parametrize("asked", [["a"], [1, 2], [[1]], LONG, [{"role": "user", "content": LONG}], [{"type": "call"}]])
def test_a_list_of_prompts_tokens_and_what_is_kept_in_part_are_none(asked: Any) -> None:
    assert not single(asked)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (Said([[b"a", b"b"]]), "ab"),
        (Said([[b"a"], [b"b"]]), ""),
        (Said([[b"a"]], short=True), ""),
        (Said([[LONG.encode()]]), ""),
        (Said([[b"\xff"]]), ""),
        (Said(), ""),
        (None, ""),
    ],
)
def test_only_a_whole_answer_is_kept(said: Said | None, answer: str) -> None:
    assert answered(said) == answer


async def test_probes_are_no_samples(door: Door, kept: Any) -> None:
    await door.post("/predict", {"prompt": "a"}, x_sluice_probe=KEY)

    assert not door.gateway.samples.waiting


async def test_the_share_is_kept(sampled: Settings, kept: Any) -> None:
    async with opened(sampled.model_copy(update={"record_share": 0.5})) as door:
        for _ in range(60):
            await door.post("/predict", {"prompt": "a"})
        await until(lambda: not door.gateway.samples.waiting)

    assert 6 < len(kept) < 54  # six standard deviations


async def test_off_nothing_is_kept(settings: Settings, kept: Any, tmp_path: Path) -> None:
    async with opened(settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/db"})) as door:
        await door.post("/predict", {"prompt": "a"})
        assert door.gateway.samples is None

    assert kept == {}


async def test_a_database_that_is_away_is_waited_for(door: Door, kept: Any, monkeypatch: Any) -> None:
    async def down() -> None:
        raise OSError

    monkeypatch.setattr(door.gateway.recorder, "flush", down)
    status, _, _ = await door.post("/predict", {"prompt": "a"}, x_request_id="q-1")
    await asyncio.sleep(0.7)  # longer than a round of the writer
    assert (status, kept, len(door.gateway.samples.waiting)) == (200, {}, 1)


def test_samples_need_a_database() -> None:
    with pytest.raises(ValidationError, match="set SLUICE_DATABASE_URL"):
        Settings(record_share=0.1)
