"""The order in which a request is looked at, and that it is counted once however it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app import admission, call
from app.keys import Key
from app.settings import Settings
from app.slots import Slots
from tests.app.conftest import KEY, Door, Engine, opened

COMPLETIONS = "/v1/completions"
ASKED = {"prompt": "hello"}
KEYS = json.dumps({"keys": [{"name": "team", "sha256": sha256(b"alice").hexdigest(), "requestsPerMinute": 2}]})


def code(content: bytes) -> str:
    found: str = json.loads(content)["error"]["code"]
    return found


@pytest.fixture
async def keyed(settings: Settings, tmp_path: Path) -> AsyncIterator[Door]:
    """A gateway that knows one key, `alice`, which may ask twice a minute."""
    (tmp_path / "keys.yaml").write_text(KEYS)
    async with opened(settings.model_copy(update={"keys_file": tmp_path / "keys.yaml"})) as found:
        yield found


async def test_who_may_not_ask_is_not_told_what_is_wrong_with_the_question(keyed: Door, engine: Engine) -> None:
    status, _, content = await keyed.post(COMPLETIONS, {"prompt": 5}, authorization="Bearer bob")

    assert (status, code(content)) == (401, "invalid_api_key")
    assert keyed.outcomes() == {"client_4xx": 1}
    assert engine.asked == []


async def test_a_refused_question_costs_its_key_nothing(keyed: Door) -> None:
    bearer = {"authorization": "Bearer alice"}
    wrong: list[Any] = [{"prompt": 5}, {"prompt": "a", "n": 10**6}, {"prompt": "a", "model": "other"}, []]
    for body in wrong:
        assert (await keyed.post(COMPLETIONS, body, **bearer))[0] in (400, 404)

    answers = [(await keyed.post(COMPLETIONS, ASKED, **bearer))[0] for _ in range(3)]

    assert answers == [200, 200, 429]
    assert keyed.outcomes() == {"client_4xx": 4, "ok": 2, "rejected": 1}


async def test_a_probe_needs_no_key(keyed: Door) -> None:
    assert (await keyed.post(COMPLETIONS, ASKED, x_sluice_probe=KEY))[0] == 200
    assert keyed.outcomes(source="probe") == {"ok": 1}


async def test_what_is_more_than_the_engines_bear_is_429_and_they_never_see_it(
    settings: Settings, engine: Engine, canary: Any
) -> None:
    engine.mode = "hang"
    limits = {"max_inflight_per_engine": 2, "whole_seconds": 20, "total_seconds": 20}
    async with opened(settings.model_copy(update=limits)) as door, asyncio.TaskGroup() as group:
        waiting = [group.create_task(door.post(COMPLETIONS, ASKED)) for _ in range(2)]
        async with asyncio.timeout(5):
            while engine.running < 2:
                await asyncio.sleep(0.01)
        status, headers, content = await door.post(COMPLETIONS, ASKED)

        assert (status, headers["retry-after"], code(content)) == (429, "1", "overloaded")
        assert json.loads(content)["error"]["type"] == "rate_limit_error"
        assert door.outcomes() == {"rejected": 1}
        assert len(engine.asked) == 2

        one = canary(5)  # another pod, which makes room for two more
        door.gateway.board.show(replace(one, canary=("http://127.0.0.1:1",)))
        engine.mode = "good"
        assert (await door.post(COMPLETIONS, ASKED, x_sluice_probe=KEY))[0] == 200
        for each in waiting:
            each.cancel()


async def test_who_is_refused_last_gives_its_place_on_all_gateways_back(
    keyed: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    async def leased(key: Key) -> str:
        return "a lease"

    monkeypatch.setattr(keyed.gateway.quotas, "begin", leased)
    monkeypatch.setattr(keyed.gateway.quotas, "end", lambda key, lease: given.append((key and key.name, lease)))
    assert (await keyed.post(COMPLETIONS, ASKED, authorization="Bearer alice"))[0] == 200
    monkeypatch.setattr(keyed.gateway.slots, "look", lambda key: None)
    monkeypatch.setattr(keyed.gateway.slots, "take", Slots(0).look)
    assert (await keyed.post(COMPLETIONS, ASKED, authorization="Bearer alice"))[0] == 429

    assert given == [("team", "a lease")] * 2


async def test_every_request_starts_once_and_ends_once(door: Door, engine: Engine) -> None:
    for mode in ("good", "500"):
        engine.mode = mode
        for body in (ASKED, {"prompt": 5}, {**ASKED, "stream": True}):
            await door.post(COMPLETIONS, body)

    assert door.count("sluice_started_total") == sum(door.outcomes().values()) == 6
    assert door.count("sluice_inflight_requests") == 0


async def test_the_answer_has_its_id_also_when_it_is_refused(door: Door) -> None:
    for body in (ASKED, {"prompt": 5}):
        _, headers, _ = await door.post(COMPLETIONS, body, x_request_id="mine")
        assert headers["x-request-id"] == "mine"


async def test_before_an_engine_is_known_it_says_come_back_and_counts_nothing(door: Door) -> None:
    door.gateway.board.arms = None

    status, headers, content = await door.post(COMPLETIONS, ASKED)

    assert (status, code(content), headers["retry-after"]) == (503, "not_ready", "1")
    assert door.count("sluice_started_total") == 0


FLAGS = {
    "flags": {
        "variant": {
            "state": "ENABLED",
            "variants": {"cool": {"parameters": {"temperature": 0.2}}},
            "defaultVariant": "cool",
        }
    }
}


async def test_the_body_is_written_once_also_for_a_variant(
    settings: Settings, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def encoded(document: dict[str, Any]) -> bytes:
        written.append(document)
        return json.dumps(document).encode()

    monkeypatch.setattr(call, "encoded", encoded)
    (tmp_path / "flags.json").write_text(json.dumps(FLAGS))
    async with opened(settings.model_copy(update={"flags_file": tmp_path / "flags.json"})) as door:
        assert (await door.post(COMPLETIONS, ASKED))[0] == 200

    assert written == engine.asked == [{**ASKED, "temperature": 0.2}]


async def test_a_route_may_say_what_its_body_asks_of_the_engine(door: Door, engine: Engine) -> None:
    await door.post("/predict", {"prompt": "hello", "max_new_tokens": 3})

    assert engine.asked == [{"model": "tiny", "prompt": "hello", "max_tokens": 3}]
    assert admission.same(ASKED, Settings()) is ASKED
