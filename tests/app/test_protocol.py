"""Clients that mean harm, on bare sockets."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from app.protocol import Client, Cycle
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


async def answered(line: Any, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of the next answer on a connection."""
    reader, writer = line
    writer.write(request)
    async with asyncio.timeout(2):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        body = b"" if request.startswith(b"HEAD") or not length else await reader.readexactly(int(length[1]))
    return head, body


async def test_an_answer_to_head_has_no_body_and_the_next_one_stands_right_behind_it(line: Any) -> None:
    head, _ = await answered(line, b"HEAD /health HTTP/1.1\r\nhost: a\r\n\r\n")
    assert b"content-length: " in head

    head, body = await answered(line, b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
    assert (head.startswith(b"http/1.1 200"), json.loads(body)) == (True, {"status": "ok"})
    assert b"\r\ndate: " in head


@pytest.mark.parametrize("first_lines", [b"GET /health HTTP/1.0\r\n", b"GET /health HTTP/1.1\r\nconnection: close\r\n"])
async def test_who_wants_no_second_answer_gets_its_connection_closed(line: Any, first_lines: bytes) -> None:
    head, _ = await answered(line, first_lines + b"host: a\r\n\r\n")

    assert head.count(b"connection: close\r\n") == 1
    async with asyncio.timeout(2):
        assert await line[0].read() == b""


async def test_requests_that_come_at_once_are_answered_in_turn(door: Any, line: Any) -> None:
    body = b'{"prompt": "a"}'
    one = POST + b"content-length: %d\r\n\r\n" % len(body) + body
    reader, writer = line
    writer.write(one * 3)
    async with asyncio.timeout(2):
        for _ in range(3):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))

    assert door.outcomes() == {"ok": 3}


def cycle(method: str = "GET") -> tuple[Cycle, list[bytes]]:
    """One that writes into a list."""
    written: list[bytes] = []
    made = Cycle.__new__(Cycle)
    made.scope, made.default_headers, made.keep_alive = {"method": method}, [], True  # type: ignore[typeddict-item]
    made.flow, made.transport = SimpleNamespace(write_paused=False), SimpleNamespace(write=written.append)  # type: ignore[assignment]
    made.disconnected = made.response_started = made.response_complete = False
    made.chunked_encoding, made.expected_content_length = None, 0
    made.message_event, made.on_response = asyncio.Event(), lambda: None
    return made, written


async def sent(made: Cycle, *headers: tuple[bytes, bytes], bodies: tuple[bytes, ...] = ()) -> None:
    await made.send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    for number, one in enumerate(bodies, 1):
        await made.send({"type": "http.response.body", "body": one, "more_body": number < len(bodies)})


async def test_head_and_first_bytes_are_one_write() -> None:
    made, written = cycle()
    await sent(made, (b"x-a", b"b"), bodies=(b"one", b"two", b""))

    head = b"HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n"
    assert written == [head + b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize("value", [b"a\r\nx-b: c", b"a\nx-b: c", b"a\rb"])
async def test_no_header_can_bring_another_one_with_it(value: bytes) -> None:
    made, written = cycle()
    with pytest.raises(RuntimeError, match="end of a line"):
        await sent(made, (b"x-a", value), bodies=(b"",))

    assert written == []


@pytest.mark.parametrize("bodies", [(b"four",), (b"",), (b"on", b"ee")])
async def test_an_answer_of_another_length_than_it_says_is_a_fault_of_ours(bodies: tuple[bytes, ...]) -> None:
    made, _ = cycle()
    with pytest.raises(RuntimeError, match="length"):
        await sent(made, (b"content-length", b"3"), bodies=bodies)


def test_who_watches_a_client_that_has_gone_is_told_at_once() -> None:
    client, told = Client(), list[str]()
    client.watch(lambda: told.append("went"))
    client.go()
    client.watch(lambda: told.append("was gone"))

    assert told == ["went", "was gone"]


async def test_a_connection_is_used_again_after_a_refusal(door: Any) -> None:
    for _ in range(3):
        assert (await door.post("/v1/completions", []))[0] == 400
    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200
