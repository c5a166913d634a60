from typing import Any

import pytest

from app.call import parsed

CHAT = "/v1/chat/completions"
KEY = "probe-key"


def asked(**more: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], **more}


async def test_a_probe_chooses_its_arm_and_is_counted_as_one(door: Any, canary: Any) -> None:
    door.gateway.board.show(canary(0))

    _, headers, _ = await door.post(CHAT, asked(), x_sluice_probe=KEY, x_sluice_arm="canary")

    assert headers["x-sluice-arm"] == "canary"
    assert door.outcomes(source="probe", arm="canary", step="0") == {"ok": 1}


async def test_a_user_cannot_choose_an_arm(door: Any, canary: Any) -> None:
    door.gateway.board.show(canary(0))

    _, headers, _ = await door.post(CHAT, asked(), x_sluice_arm="canary")

    assert headers["x-sluice-arm"] == "stable"


async def test_a_wrong_probe_key_is_refused(door: Any) -> None:
    status, _, body = await door.post(CHAT, asked(), x_sluice_probe="guess", x_sluice_arm="canary")

    assert (status, b"invalid_probe_key" in body) == (401, True)
    assert door.outcomes() == {"client_4xx": 1}


async def test_without_a_canary_a_probe_is_told_so_and_not_counted(door: Any) -> None:
    status, _, body = await door.post(CHAT, asked(), x_sluice_probe=KEY, x_sluice_arm="canary")

    assert (status, b'"code":"no_canary"' in body.replace(b" ", b"")) == (409, True)
    assert door.count("sluice_started_total") == 0


async def test_a_user_is_known_by_header_or_by_openais_field(door: Any, canary: Any) -> None:
    door.gateway.board.show(canary(50))
    arms = set()
    for headers, body in (({"x_sluice_user": "ann"}, asked()), ({}, asked(user="ann"))):
        arms |= {(await door.post(CHAT, body, **headers))[1]["x-sluice-arm"] for _ in range(5)}

    assert len(arms) == 1


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"{", 400, b"invalid_json"),
        (b"[]", 400, b"invalid_json"),
        (b"[" * 5000, 400, b"invalid_json"),
        (b'{"prompt": "\\ud800"}', 400, b"invalid_json"),
        (b'{"prompt": "a", "other": 1e999}', 400, b"invalid_json"),
        (b'{"prompt": "a", "other": NaN}', 400, b"invalid_json"),
        (b'{"prompt": "a", "other": -Infinity}', 400, b"invalid_json"),
        (b'{"prompt": "a", "user": "\\uDC00"}', 400, b"invalid_json"),
        (b'{"prompt": "a", "\\uD83D": 1}', 400, b"invalid_json"),
        (b'{"prompt": "\xed\xa0\x80"}', 400, b"invalid_json"),
        (b'"' + b"x" * 20_000 + b'"', 413, b"body_too_large"),
    ],
)
async def test_bad_bodies_are_refused_and_the_engine_never_sees_them(
    door: Any, engine: Any, data: bytes, status: int, code: bytes
) -> None:
    async with door.session.post(door.url + CHAT, data=data) as reply:
        seen, body = reply.status, await reply.read()

    assert (seen, code in body) == (status, True)
    assert engine.asked == []
    assert door.outcomes(arm="stable") == {"client_4xx": 1}
    assert door.count("sluice_started_total") == 1


def test_a_character_of_two_halves_and_a_large_number_are_json() -> None:
    text = '{"prompt": "\\ud83d\\ude00", "other": [1e300, -0.5, 7]}'

    assert parsed(text.encode()) == parsed(text.encode("utf-16")) == {"prompt": "\U0001f600", "other": [1e300, -0.5, 7]}
