"""Clients that mean harm, on bare sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    settings.head_seconds = settings.body_seconds = settings.send_seconds = 0.3
    return settings


@pytest.fixture
async def line(door: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rsplit(":", 1)[1]), limit=2**10)
    yield reader, writer
    writer.close()


POST = b"POST /v1/completions HTTP/1.1\r\nhost: a\r\n"


def said(answer: bytes) -> tuple[int, str]:
    head, body = answer.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), json.loads(body)["error"]["code"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (POST + b"x-a: ", (408, "head_too_slow")),
        (POST + b"x-a: " + b"x" * 40_000, (431, "head_too_large")),
        (POST + b"x-a: " + b"x" * 40_000 + b"\r\n\r\n", (431, "head_too_large")),
        (POST + b"".join(b"x-%d: y\r\n" % i for i in range(200)) + b"\r\n", (431, "head_too_large")),
        (POST + b"content-length: 50\r\n\r\n{", (408, "body_too_slow")),
        (b"nonsense\r\n\r\n", (400, "invalid_http")),
    ],
)
async def test_what_never_ends_or_is_too_much_is_cut_off(
    engine: Any, line: Any, sent: bytes, expected: tuple[int, str]
) -> None:
    reader, writer = line
    writer.write(sent)
    async with asyncio.timeout(2):
        answer = await reader.read(-1)

    assert said(answer) == expected
    assert engine.asked == []


async def test_headers_that_trickle_in_are_cut_off(line: Any) -> None:
    reader, writer = line
    answer = asyncio.create_task(reader.read(-1))
    writer.write(POST)
    for _ in range(20):
        writer.write(b"x-a: b\r\n")
        if (await asyncio.wait({answer}, timeout=0.1))[0]:
            break

    assert said(answer.result()) == (408, "head_too_slow")


async def test_a_client_that_does_not_read_is_cut_off_and_frees_the_engine(door: Any, engine: Any, line: Any) -> None:
    engine.mode = "flood"
    _, writer = line
    body = b'{"prompt": "a", "stream": true}'
    writer.write(POST + b"content-length: %d\r\n\r\n" % len(body) + body)
    async with asyncio.timeout(4):
        while door.outcomes() != {"client_cancel": 1}:
            await asyncio.sleep(0.05)
        while engine.running:
            await asyncio.sleep(0.05)


async def test_a_connection_is_used_again_after_a_refusal(door: Any) -> None:
    for _ in range(3):
        assert (await door.post("/v1/completions", []))[0] == 400
    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200
