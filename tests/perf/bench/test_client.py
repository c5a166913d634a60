import asyncio
import itertools

import pytest

from perf.bench import client
from perf.blank import Blank


async def test_every_frame_of_a_stream_is_counted_with_its_time(blank: int) -> None:
    (found,) = await client.streams(blank, client.body(stream=True, frames=6, pause_ms=1), 1)

    assert (found.status, found.frames) == (200, 6 + 2)
    assert found.began <= found.times[0] <= found.times[-1] <= found.ended
    assert found.ttft > 0
    assert len(found.gaps) == len(found.times) - 1


async def test_one_client_asks_one_after_the_other_on_one_connection(blank: int) -> None:
    found = await client.sequential(blank, client.body(stream=False), 5)

    assert [one.status for one in found] == [200] * 5
    assert all(before.ended <= after.began for before, after in itertools.pairwise(found))


async def test_clients_ask_until_the_time_is_over(blank: int) -> None:
    assert await client.loaded(blank, client.body(stream=False), clients=3, seconds=0) == []
    assert len(await client.loaded(blank, client.body(stream=False), clients=3, seconds=0.05)) >= 3


async def test_the_end_of_a_frame_may_come_in_two_reads() -> None:
    link = client.Link()
    link.answer = client.Answer(0.0)
    for piece in (b"data: a\n", b"\ndata: b\n\ndata", b": c\n", b"\n"):
        link.on_body(piece)

    assert link.answer.frames == 3


async def test_a_server_that_hangs_up_is_an_error() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        with pytest.raises(OSError, match="closed the connection"):
            await client.sequential(server.sockets[0].getsockname()[1], client.body(stream=False), 1)


async def test_a_stream_whose_connection_ends_has_no_status_and_ends_no_other() -> None:
    class Odd(Blank):
        made = itertools.count()

        def on_message_complete(self) -> None:
            super().on_message_complete() if next(self.made) % 2 else self.transport.close()

    server = await asyncio.get_running_loop().create_server(Odd, "127.0.0.1", 0)
    async with server:
        found = await client.streams(server.sockets[0].getsockname()[1], client.body(stream=True), 4)

    assert sorted(one.status for one in found) == [0, 0, 200, 200]


async def test_a_connection_that_has_ended_is_an_error_at_once(blank: int) -> None:
    (link,) = await client.opened(blank, 1)
    link.close()

    with pytest.raises(OSError, match="has ended"):
        await link.ask(client.body(stream=False))
