import asyncio
from collections.abc import AsyncIterator

import pytest

from perf.bench import client
from perf.bench.splice import Front


@pytest.fixture
async def splice(blank: int) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: Front(blank), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_bytes_come_through_as_they_are(splice: int, blank: int) -> None:
    through = await client.streams(splice, client.body(stream=True, frames=9), 3)
    direct = await client.streams(blank, client.body(stream=True, frames=9), 1)

    assert {(one.status, one.frames) for one in through} == {(one.status, one.frames) for one in direct}


async def test_what_comes_before_the_other_side_is_there_waits_for_it(splice: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", splice)
    writer.write(b"GET / HTTP/1.1\r\n")
    writer.write(b"host: x\r\n\r\n")

    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_when_one_side_goes_the_other_does_too(splice: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", splice)
    writer.write(b"this is no HTTP\r\n\r\n")  # the server behind it hangs up

    assert await reader.read() == b""
    writer.close()
