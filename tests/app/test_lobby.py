import asyncio
import socket
from collections.abc import Iterator

import pytest

from app.lobby import FEW, Lobby
from app.turns import Turns


class Connection:
    """A socket, and whether the loop reads it."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.read, self.closing = True, False

    def hold(self) -> None:
        self.read = False

    def release(self) -> None:
        self.read = True

    def fileno(self) -> int:
        return self.ours.fileno()

    def close(self) -> None:
        self.closing = True
        self.ours.close()


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    made = [Connection() for _ in range(3 * FEW)]
    yield made
    for one in made:
        one.close()
        one.theirs.close()


async def test_of_those_that_speak_up_at_once_only_so_many_are_read_in_a_turn_and_the_first_first(
    connections: list[Connection],
) -> None:
    lobby, full = Lobby(turns := Turns()), list[bool]()
    for one in connections:
        lobby.enter(one)  # type: ignore[arg-type]
    lobby.call()
    assert not any(one.read for one in connections)

    for one in reversed(connections):
        one.theirs.send(b"hello")
    for number in range(3):
        lobby.call()
        full.append(turns.crowded)
        turns.turn()
        left = len(connections) - (number + 1) * FEW
        assert [one.read for one in connections] == [False] * left + [True] * (len(connections) - left)
    assert full == [True] * 3

    lobby.call()
    assert not turns.crowded
    assert not lobby.inside
    assert not lobby.sockets


async def test_who_goes_away_is_read_too_and_only_the_loop_looks(connections: list[Connection]) -> None:
    lobby = Lobby(Turns())
    for one in connections[:2]:
        lobby.enter(one)  # type: ignore[arg-type]
    connections[0].theirs.close()
    async with asyncio.timeout(5):
        while not connections[0].read:
            await asyncio.sleep(0.001)
    assert [one.read for one in connections[:2]] == [True, False]


async def test_a_closed_one_leaves_no_trace_even_when_its_sockets_number_is_another_ones(
    connections: list[Connection],
) -> None:
    old, *_ = connections
    lobby = Lobby(Turns())
    lobby.enter(old)  # type: ignore[arg-type]
    number = old.fileno()
    old.close()
    new = Connection()
    assert number in (new.ours.fileno(), new.theirs.fileno())
    if new.theirs.fileno() == number:
        new.ours, new.theirs = new.theirs, new.ours
    lobby.enter(new)  # type: ignore[arg-type]
    lobby.leave(old)  # type: ignore[arg-type]
    assert lobby.inside == {number: new}

    new.theirs.send(b"hello")
    lobby.call()
    assert new.read
    lobby.leave(new)  # type: ignore[arg-type]
    assert not lobby.inside
    assert not lobby.sockets
    new.close()
    new.theirs.close()


async def test_nobody_enters_twice_or_closed(connections: list[Connection]) -> None:
    lobby = Lobby(Turns())
    one, closed, *_ = connections
    closed.close()
    for each in (one, one, closed):
        lobby.enter(each)  # type: ignore[arg-type]
    assert len(lobby.inside) == len(lobby.sockets) == 1
