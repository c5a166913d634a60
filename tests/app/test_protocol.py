"""Clients that mean harm, on bare sockets."""

import asyncio
import gc
import json
import re
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.server import ServerState

from app import protocol
from app.main import create_app
from app.server import config
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


@pytest.mark.parametrize("told", [True, False])
async def test_bodies_that_come_slowly_do_not_fill_the_memory_and_leave_room_for_others(
    door: Any, engine: Any, settings: Settings, told: bool
) -> None:
    settings.body_seconds, door.gateway.room.most = 20, 100_000
    body = b'{"prompt": "a", "user": "' + b"x" * 5_000
    framed = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body)
    many = [await asyncio.open_connection("127.0.0.1", int(door.url.rsplit(":", 1)[1])) for _ in range(30)]
    for _, writer in many:
        writer.write(POST + (b"content-length: %d\r\n\r\n%b" % (len(body) + 1, body) if told else framed))
    answers = [asyncio.create_task(reader.readuntil(b"}}")) for reader, _ in many]
    async with asyncio.timeout(5):
        while sum(one.done() for one in answers) < 15 or door.gateway.room.taken > 70_000:
            await asyncio.sleep(0.01)

    assert {said(one.result()) for one in answers if one.done()} == {(429, "no_room")}
    assert all(b"retry-after: 1\r\n" in one.result() for one in answers if one.done())
    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200
    assert len(engine.asked) == 1

    for reading, (_, writer) in zip(answers, many, strict=True):
        reading.cancel()
        writer.close()
    async with asyncio.timeout(5):
        while door.gateway.room.taken:
            await asyncio.sleep(0.01)


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


async def exchanged(line: Any, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of the next answer on a connection."""
    reader, writer = line
    writer.write(request)
    async with asyncio.timeout(2):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        body = b"" if request.startswith(b"HEAD") or not length else await reader.readexactly(int(length[1]))
    return head, body


async def test_an_answer_to_head_has_no_body_and_the_next_one_stands_right_behind_it(line: Any) -> None:
    head, _ = await exchanged(line, b"HEAD /health HTTP/1.1\r\nhost: a\r\n\r\n")
    assert b"content-length: " in head

    head, body = await exchanged(line, b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
    assert (head.startswith(b"http/1.1 200"), json.loads(body)) == (True, {"status": "ok"})
    assert b"\r\ndate: " in head


@pytest.mark.parametrize("first_lines", [b"GET /health HTTP/1.0\r\n", b"GET /health HTTP/1.1\r\nconnection: close\r\n"])
async def test_who_wants_no_second_answer_gets_its_connection_closed(line: Any, first_lines: bytes) -> None:
    head, _ = await exchanged(line, first_lines + b"host: a\r\n\r\n")

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


async def test_a_connection_is_used_again_after_a_refusal(door: Any) -> None:
    for _ in range(3):
        assert (await door.post("/v1/completions", []))[0] == 400
    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200


LARGE = 20_000_000  # more than the buffers of both sides hold
KEPT = b"content-length: %d\r\n" % LARGE
CHUNKED = b"transfer-encoding: chunked\r\n"


def body(framed: bool) -> list[bytes]:
    chunk = b" " * 100_000
    return [b"%x\r\n%s\r\n" % (len(chunk), chunk) if framed else chunk] * (LARGE // len(chunk))


@pytest.mark.parametrize("more", [b"", b"connection: close\r\n"])
@pytest.mark.parametrize("length", [KEPT, CHUNKED])
async def test_a_client_that_sends_the_whole_body_first_reads_that_it_is_too_large(
    door: Any, engine: Any, settings: Settings, line: Any, length: bytes, more: bytes
) -> None:
    settings.body_seconds = 5
    reader, writer = line
    writer.write(POST + length + more + b"\r\n")
    for piece in body(length == CHUNKED):
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(2):
        answer = await reader.read(-1)

    assert said(answer) == (413, "body_too_large")
    assert engine.asked == []
    assert door.outcomes() == {"client_4xx": 1}


async def test_a_body_whose_length_is_told_is_refused_before_it_comes(line: Any) -> None:
    reader, writer = line
    writer.write(POST + KEPT + b"expect: 100-continue\r\n\r\n")
    async with asyncio.timeout(2):
        answer = await reader.read(-1)

    assert said(answer) == (413, "body_too_large")


@pytest.mark.parametrize("key", [b"", b"x-sluice-probe: wrong\r\n"])  # refused for its size; for its key, unread
async def test_whoever_sends_on_after_his_answer_is_cut_off(
    line: Any, monkeypatch: pytest.MonkeyPatch, key: bytes
) -> None:
    monkeypatch.setattr(protocol, "DROPPED_BYTES", 1_000_000)
    _, writer = line
    writer.write(POST + key + CHUNKED + b"\r\n")
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(5):
            while True:
                for piece in body(framed=True):
                    writer.write(piece)
                    await writer.drain()


@pytest.mark.parametrize("key", [b"", b"x-sluice-probe: wrong\r\n"])
async def test_whoever_does_not_end_after_his_answer_is_cut_off(
    line: Any, monkeypatch: pytest.MonkeyPatch, key: bytes
) -> None:
    monkeypatch.setattr(protocol, "DROP_SECONDS", 0.2)
    reader, writer = line
    writer.write(POST + key + KEPT + b"\r\n")
    async with asyncio.timeout(5):
        await reader.readline()
        while not writer.transport.is_closing():  # its side is closed: the next write or two say so
            writer.write(b" ")
            await asyncio.sleep(0.02)


async def test_a_body_that_comes_after_its_refusal_does_not_end_the_connection(line: Any) -> None:
    reader, writer = line
    length = 100_000  # asked for with a wrong key: refused unread
    writer.write(POST + b"x-sluice-probe: wrong\r\ncontent-length: %d\r\n\r\n" % length)
    async with asyncio.timeout(2):
        assert (await answered(reader))[0] == 401
        writer.write(b" " * length + POST + b"content-length: 2\r\n\r\n[]")
        assert await answered(reader) == (400, "invalid_json")


async def answered(reader: asyncio.StreamReader) -> tuple[int, str]:
    """One answer of a connection that stays."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await reader.readline()
    lengths = [line.split(b": ")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    return said(head + await reader.readexactly(int(lengths[0])))


async def test_a_head_that_is_too_large_is_answered_to_whoever_sends_it_all_first(line: Any) -> None:
    reader, writer = line
    writer.write(POST)
    for _ in range(200):
        writer.write(b"x-a: " + b"x" * 50_000 + b"\r\n")
        await writer.drain()
    async with asyncio.timeout(2):
        answer = await reader.read(-1)

    assert said(answer) == (431, "head_too_large")


MODELS = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"


async def drained(door: Any) -> None:
    """Waits until the gateway accepts no connection any more, as from SIGTERM on."""
    door.server.should_exit = True
    while any(one.is_serving() for one in door.server.servers):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("before", [b"", MODELS])
async def test_a_request_on_its_way_when_the_gateway_goes_is_answered_and_is_the_last(
    door: Any, line: Any, before: bytes
) -> None:
    reader, writer = line
    async with asyncio.timeout(5):
        if before:
            writer.write(before)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"connection: close" not in head
            await reader.readexactly(int(re.findall(rb"content-length: (\d+)", head)[0]))
        await drained(door)
        writer.write(MODELS)
        answer = await reader.read(-1)

    assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close\r\n" in answer


async def test_a_stream_that_had_begun_when_the_gateway_went_leaves_its_connection_to_one_more_request(
    door: Any, line: Any, engine: Any
) -> None:
    reader, writer = line
    engine.mode, asked = "slow", json.dumps({"prompt": "p", "stream": True}).encode()
    async with asyncio.timeout(5):
        writer.write(b"POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(asked), asked))
        assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")
        await drained(door)
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        writer.write(MODELS)
        answer = await reader.read(-1)

    assert answer.startswith(b"HTTP/1.1 200 ") and b"connection: close\r\n" in answer


async def test_what_is_left_of_a_connection_goes_without_a_search_for_garbage(door: Any, line: Any) -> None:
    reader, writer = line
    writer.write(MODELS)
    await reader.readuntil(b"\r\n\r\n")
    left = [weakref.ref(one) for one in door.server.server_state.connections]
    gc.disable()
    try:
        writer.close()
        async with asyncio.timeout(5):
            while any(one() for one in left):
                await asyncio.sleep(0.01)
    finally:
        gc.enable()

    assert len(left) == 1


async def test_a_connection_that_stays_idle_is_closed_when_the_gateway_goes(
    door: Any, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LAST_SECONDS", (0.05, 0.05))
    async with asyncio.timeout(5):
        await drained(door)

        assert await line[0].read(-1) == b""


def test_idle_connections_do_not_all_close_in_one_moment(settings: Settings) -> None:
    told, loop = config(create_app(settings), settings), asyncio.new_event_loop()
    told.load()
    state: Any = {"config": told, "server_state": ServerState(), "app_state": {}, "_loop": loop}
    made: list[Any] = [told.http_protocol_class(**state).line for _ in range(20)]  # type: ignore[attr-defined]
    for one in made:
        one.shutdown()
    loop.close()

    seconds = [one.rest.seconds for one in made]
    assert protocol.LAST_SECONDS[0] <= min(seconds) < max(seconds) <= protocol.LAST_SECONDS[1]
    assert len(set(seconds)) == 20
