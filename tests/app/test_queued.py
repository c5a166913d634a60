import asyncio
import hashlib
import json
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.server import ServerState

from app import protocol
from app.main import create_app
from app.protocol import Protocol
from app.reading import PIECE_BYTES, Reading
from app.server import config
from app.settings import Settings
from app.turns import AHEAD, ROOM, Turns

MANY = 200


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    settings.keys_file = tmp_path / "keys.yaml"
    named = [{"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in ("many", "one")]
    settings.keys_file.write_text(json.dumps({"keys": named}))
    settings.connect_seconds = settings.first_token_seconds = 20  # a slow machine is no fault
    return settings


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def lines(door: Any, number: int) -> list[Line]:
    port = int(door.url.rsplit(":", 1)[1])
    return [await asyncio.open_connection("127.0.0.1", port) for _ in range(number)]


def asking(key: str, **more: Any) -> bytes:
    body = json.dumps({"prompt": key, **more}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nhost: a\r\nAuthorization: Bearer {key}\r\n".encode()
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def lobby(door: Any) -> list[Protocol]:
    """Those whose next word waits for its turn to be read."""
    return [one for one in door.server.server_state.connections if one.flow in one.lobby.sockets]


async def test_a_new_connection_is_read_by_turns_until_it_has_said_something(door: Any) -> None:
    ((reader, writer),) = await lines(door, 1)
    async with asyncio.timeout(5):
        while not lobby(door):
            await asyncio.sleep(0.01)
        writer.write(asking("one"))
        assert b" 200 " in await reader.readline()
    assert not lobby(door)


async def test_a_request_does_not_wait_behind_the_many_of_another_key(door: Any, engine: Any) -> None:
    made = await lines(door, MANY + 1)
    for _, writer in made[:-1]:
        writer.write(asking("many"))
    made[-1][1].write(asking("one"))  # the last
    async with asyncio.timeout(20):
        for reader, _ in made:
            assert b" 200 " in await reader.readline()

    order = [one["prompt"] for one in engine.asked]
    assert len(order) == MANY + 1
    assert order.index("one") < MANY / 2


async def test_requests_that_wait_on_their_connections_are_all_answered_in_their_order(door: Any) -> None:
    made = await lines(door, MANY)
    for _, writer in made:
        writer.write(asking("many") * 3)
    async with asyncio.timeout(20):
        for reader, _ in made:
            for _ in range(3):
                assert b" 200 " in await reader.readline()
                await reader.readuntil(b"}}")  # the usage, which an answer ends with

    assert door.outcomes() == {"ok": 3 * MANY}


async def test_who_will_find_no_place_is_told_so_ahead_of_those_that_came_before_and_wait(
    door: Any, engine: Any, settings: Settings
) -> None:
    turns: Turns = door.gateway.pool.turns
    (reader, writer), (late, later) = await lines(door, 2)
    turns.waiting, turns.turning = {"many": deque([lambda: None])}, True  # whose turn we decide
    turns.requests["many"] = settings.max_inflight
    writer.write(asking("many"))
    async with asyncio.timeout(5):
        while not turns.refusals:
            await asyncio.sleep(0.01)
    turns.requests["many"] = 0
    later.write(asking("many"))  # for which there is room
    async with asyncio.timeout(5):
        while not turns.requests["many"]:
            await asyncio.sleep(0.01)

    turns.most = 0
    turns.turn()
    async with asyncio.timeout(5):
        assert b" 429 " in await reader.readline()
    (refused,) = lobby(door)  # the other one waits for its turn
    assert refused.transport.get_extra_info("peername") == writer.get_extra_info("sockname")
    assert door.outcomes() == {"rejected": 1}
    while turns.waiting:
        turns.turn()
    async with asyncio.timeout(5):
        assert b" 200 " in await late.readline()


@pytest.mark.parametrize("leave", ["abort", "close", "write_eof"])
async def test_many_that_go_away_at_once_all_free_the_engine(door: Any, engine: Any, leave: str) -> None:
    engine.mode = "hang"
    made = await lines(door, MANY)
    for _, writer in made:
        writer.write(asking("many", stream=True))
    async with asyncio.timeout(20):
        while engine.running < MANY:
            await asyncio.sleep(0.01)
        for _, writer in made:
            getattr(writer.transport, leave)()
        while engine.running:
            await asyncio.sleep(0.01)


@pytest.fixture
async def idle(settings: Settings) -> tuple[Any, list[bool]]:
    """A connection that nobody has asked anything on, and whether it was closed."""
    told, closed = config(create_app(settings), settings), list[bool]()
    told.load()
    state: Any = {"config": told, "server_state": ServerState(), "app_state": {}}
    made = told.http_protocol_class(**state).line  # type: ignore[attr-defined]
    made.transport = SimpleNamespace(is_closing=lambda: bool(closed), close=lambda: closed.append(True))
    return made, closed


async def test_a_request_that_waits_for_its_turn_when_the_server_ends_is_not_lost(
    idle: tuple[Any, list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "LAST_SECONDS", (0.0, 0.0))
    line, closed = idle
    line.rest.begin()
    line.waiting = 1
    line.shutdown()
    await asyncio.sleep(0.02)
    assert closed == []

    line.waiting = 0
    line.shutdown()
    async with asyncio.timeout(5):
        while not closed:
            await asyncio.sleep(0.01)


async def test_a_connection_that_ends_when_there_is_much_to_do_is_closed_in_its_turn(
    idle: tuple[Any, list[bool]],
) -> None:
    line, closed = idle
    line.turns.waiting = {"many": deque([lambda: None])}
    assert line.eof_received() is True
    assert not closed

    while line.turns.waiting:
        line.turns.turn()
    assert closed
    assert line.eof_received() is None


async def test_a_client_is_stopped_when_it_sends_on_while_it_waits_and_goes_on_after_its_turn(
    idle: tuple[Any, list[bool]],
) -> None:
    line, _ = idle
    got, told = list[bytes](), list[str]()
    line.received, line.flow = got.append, Reading(line.transport)
    line.transport.pause_reading, line.transport.resume_reading = lambda: told.append("stop"), lambda: told.append("go")
    line.turns.waiting = {"": deque([lambda: None])}
    line.data_received(b"one")
    assert told == []
    line.data_received(b"two")
    assert (told, got) == (["stop"], [])

    while line.turns.waiting:
        line.turns.turn()
    assert (told, got) == (["stop", "go"], [b"one", b"two"])

    line.turns.waiting = {"": deque([lambda: None])}
    line.data_received(b"x" * PIECE_BYTES)
    assert told == ["stop", "go", "stop"]


LONG = 40  # bodies that come at once


async def test_of_what_is_read_for_nobody_only_so_much_is_read_in_each_turn(
    door: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, turn, received = await lines(door, LONG), Turns.turn, Protocol.received
    read, each, begun = list[int](), list[int](), set[int]()

    def turned(turns: Turns) -> None:
        each.append(sum(read))
        read.clear()
        turn(turns)

    def counted(line: Protocol, data: bytes) -> None:
        read.append(len(data) >= PIECE_BYTES and id(line) in begun)  # how a connection begins nobody can know
        begun.add(id(line))
        received(line, data)

    monkeypatch.setattr(Turns, "turn", turned)
    monkeypatch.setattr(Protocol, "received", counted)
    head, size = b"POST /v1/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer many\r\n", 1024 * 1024
    for _, writer in made:
        writer.write(head + b"content-length: %d\r\n\r\n" % size + b" " * size)
    async with asyncio.timeout(30):
        for reader, _ in made:
            assert b" 413 " in await reader.readline()
        while sum(each) < LONG:
            await asyncio.sleep(0.01)
    assert max(each) <= ROOM + AHEAD
