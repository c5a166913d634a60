import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest


@pytest.fixture
async def forgetful() -> AsyncIterator[tuple[str, list[int]]]:
    """An engine that closes each connection when a second request comes on it; and the requests per connection."""
    seen: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(0)
        here = len(seen) - 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
            await reader.readexactly(length)
            seen[here] += 1
            if seen[here] > 1 or seen[0] > 2:
                break
            body = b'{"choices": [{"text": "a", "finish_reason": "stop"}]}'
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


async def test_a_connection_that_the_engine_had_closed_is_no_failure(door: Any, canary: Any, forgetful: Any) -> None:
    url, seen = forgetful
    door.gateway.board.show(replace(canary(0), stable=(url,)))
    for _ in range(3):
        assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200

    assert seen == [2, 2, 1]
    assert door.outcomes() == {"ok": 3}


async def test_a_new_connection_that_the_engine_closes_is_one(door: Any, canary: Any, forgetful: Any) -> None:
    url, seen = forgetful
    seen.append(3)
    door.gateway.board.show(replace(canary(0), stable=(url,)))

    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 502
    assert seen == [3, 1]
    assert door.outcomes() == {"stream_truncated": 1}
