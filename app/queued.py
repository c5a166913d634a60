"""A connection whose requests wait when there is too much to do: unread, in the order of the key that they show."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.cycle import Client
from app.keys import Key, shown
from app.lobby import Lobby
from app.reading import PIECE_BYTES, Reading
from app.rest import Rest
from app.shed import Shed
from app.turns import Turns

GOING_ON = " goes on"  # of a key, its line of those who have more to send: no new request waits behind them


class Refused(NamedTuple):
    """A request that will find no place, with so many of its key's before it."""

    data: bytes
    key: Key | None
    before: int
    began: float  # the turn in which it came


class Queued(HttpToolsProtocol):
    """What has come and may be read now is for `read`."""

    turns: Turns  # of the loop
    lobby: Lobby  # of the loop
    flow: Reading
    whose: Callable[[str], Key | None] = staticmethod(lambda authorization: None)  # whom an Authorization names
    shed: Shed

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.other = Client()
        self.going = False  # the gateway drains: the next answer is the last
        self.parted = False  # we have said all: what still comes is no request
        self.drop_timer: asyncio.TimerHandle | None = None  # while what is sent on is read for nobody
        self.rest = Rest(self.loop, self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.waiting = 0  # pieces of requests that have come, and whose turn has not
        self.known = False  # it has been refused before
        self.refused: Refused | None = None  # such a piece, which needs no turn of its key

    def data_received(self, data: bytes) -> None:
        if self.parted or (not self.waiting and self.turns.room()):
            self.received(data)
            return
        key = None if self.waiting else self.named(data)
        if self.turns.first(self.other.key):
            self.received(data)
        elif self.resting and self.shed.due(key, before := self.turns.before(self.other.key)):
            self.refused = Refused(data, key, before, self.turns.began)
            self.waiting += 1
            # to make two thousand connections is easy: one that has been answered before waits for none of them
            self.turns.refuse(self.turn_away, ahead=self.known or self.cycle is not None)
        else:
            self.wait(data, self.other.key)

    @property
    def resting(self) -> bool:
        """Nobody waits for an answer here, or sends on, and the last one has been read."""
        return self.rest.since is not None and not (self.waiting or self.drop_timer or self.flow.write_paused)

    def named(self, data: bytes) -> Key | None:
        """The key that a request shows in its first bytes: it is known for this connection's from then on."""
        key = self.whose(shown(data))
        if key:
            self.other.key = key.name
        return key

    def turn_away(self) -> None:
        """Refuse what came, or have it wait for a place after all."""
        if found := self.refused:
            self.waiting, self.refused = self.waiting - 1, None
            if self.transport.is_closing():
                return
            if self.answered(found):
                self.lobby.enter(self.flow)
            else:
                self.wait(found.data, self.other.key)

    def answered(self, found: Refused) -> bool:
        """A gateway that drains says more than that it is full."""
        own = b"".join(b"%b: %b\r\n" % pair for pair in self.server_state.default_headers)
        answer = None if self.going else self.shed.given(*found, own)
        if answer:
            self.transport.write(answer)
            self.server_state.total_requests += 1
            self.known = True
            self.rest.begin()
        return bool(answer)

    def wait(self, data: bytes, key: str) -> None:
        """Until its turn; it must not pile up, but to stop a client costs more than to read a request."""
        if self.waiting or len(data) >= PIECE_BYTES:
            self.flow.hold()
        self.waiting += 1
        self.turns.requests[key] += 1
        self.turns.wait(key, functools.partial(self.go_on, data, key))

    def go_on(self, data: bytes, key: str) -> None:
        sooner, self.refused = self.refused, None
        self.waiting -= 2 if sooner else 1
        if not self.transport.is_closing():
            if sooner and not self.answered(sooner):
                self.received(sooner.data)
            if self.flow.held and not self.waiting:
                self.flow.release()
            self.received(data)
        self.loop.call_soon(self.passed, key)  # its task has begun by then, and found a place or none

    def passed(self, key: str) -> None:
        self.turns.requests[key] -= 1

    def received(self, data: bytes) -> None:
        if len(data) >= PIECE_BYTES:  # what is left of it is read by turns
            if not self.other.key:
                self.named(data)
            self.flow.hold()
            self.turns.wait(self.other.key + GOING_ON, self.flow.release)
        self.read(data)

    def read(self, data: bytes) -> None:
        super().data_received(data)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client says no more: True when the connection is closed later, for that costs as well."""
        if self.turns.room():
            return None
        self.turns.wait(self.other.key, self.transport.close)
        return True
