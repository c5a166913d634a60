"""A connection's requests: in their order, understood, and read no further than somebody takes them."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

from app.main import create_app
from app.server import config
from app.settings import Settings

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def line(door: Any) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rsplit(":", 1)[1]))
    yield reader, writer
    writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next one."""
    async with asyncio.timeout(5):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)


async def test_requests_that_are_sent_ahead_are_answered_in_their_order(line: Line) -> None:
    reader, writer = line
    asked = b'{"prompt": "a"}'
    generation = b"POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(asked), asked)
    writer.write(generation + b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n" + b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n")

    answers = [await answer(reader) for _ in range(3)]
    assert [status for status, _ in answers] == [200, 200, 404]
    assert b"choices" in answers[0][1]
    assert answers[1][1] == b'{"status":"ok"}'


async def test_a_path_may_be_written_in_hundredths(door: Any, line: Line) -> None:
    reader, writer = line
    first, *others = door.gateway.settings.model_name.encode()
    writer.write(b"GET /v1/models/%%%x%b?a=%%62 HTTP/1.1\r\nhost: a\r\n\r\n" % (first, bytes(others)))

    assert (await answer(reader))[0] == 200


async def test_who_would_speak_something_else_is_answered_in_http(line: Line) -> None:
    reader, writer = line
    writer.write(b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")

    assert (await answer(reader))[0] == 200


async def test_a_body_that_nobody_takes_is_read_no_further(settings: Settings) -> None:
    told = config(create_app(settings), settings)
    told.load()
    state: Any = {"config": told, "server_state": ServerState(), "app_state": {}, "_loop": asyncio.get_running_loop()}
    stopped: list[bool] = []
    transport = SimpleNamespace(get_extra_info=lambda name: None, write=None, is_closing=lambda: True, close=None)
    transport.pause_reading = lambda: stopped.append(True)
    one = told.http_protocol_class(**state).line  # type: ignore[attr-defined]
    one.connection_made(transport)

    one.read(b"POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
    one.read(b"x" * HIGH_WATER_LIMIT)
    assert not stopped
    one.read(b"x")
    assert stopped
    for task in one.tasks:
        task.cancel()
