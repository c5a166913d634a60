import asyncio

import pytest

from perf.bench import attack
from perf.blank import Blank, Seen


async def test_what_the_engine_has_seen_is_counted(blank: int) -> None:
    await attack.asking(n=3)(blank)

    assert await attack.seen(blank) == {"abuse": 0, "open": 0}  # each connection of this fixture counts alone

    seen = Seen()
    server = await asyncio.get_running_loop().create_server(lambda: Blank(seen), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await attack.repeated(port, attack.head(len(attack.document())), attack.document(), times=3)
        assert (await attack.seen(port))["abuse"] == 3


async def test_a_server_that_takes_it_all_is_seen_by_its_statuses(blank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack, "TIMES", 2)
    for kind in (attack.asking(max_tokens=10**9), attack.deep, attack.image, attack.headers):
        assert {one.status for one in await kind(blank)} == {200}


async def test_a_connection_that_is_closed_without_an_answer_has_no_status() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    async with server:
        assert (await attack.sent(server.sockets[0].getsockname()[1], b"x")).status == 0


async def test_streams_of_clients_that_went_away_are_no_replies_and_their_engine_is_asked(
    blank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"STREAMS": 6, "CANCELLED": 2, "STREAM_FRAMES": 4, "STREAM_MS": 5}.items():
        monkeypatch.setattr(attack, name, value)

    assert [one.status for one in await attack.streams(blank)] == [200] * 4
    assert await attack.unfreed(blank) == 0


async def test_a_stream_that_goes_on_without_its_client_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack, "FREED_SECONDS", 0.0)
    seen = Seen(open=2)
    server = await asyncio.get_running_loop().create_server(lambda: Blank(seen), "127.0.0.1", 0)
    async with server:
        assert await attack.unfreed(server.sockets[0].getsockname()[1]) == 2
