"""A connection whose requests wait when there is too much to do: unread, in the order of the key that they show."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.cycle import Client
from app.keys import Key, shown
from app.reading import PIECE_BYTES, Reading
from app.rest import Rest
from app.turns import Turns

Said = Callable[[bytes], bytes]  # an answer, with the lines that the server says of itself: whoever asks counts it

GOING_ON = " goes on"  # of a key, its line of those who have more to send: no new request waits behind them


class Queued(HttpToolsProtocol):
    """What has come and may be read now is for `read`."""

    turns: Turns  # of the loop
    flow: Reading
    whose: Callable[[str], Key | None] = staticmethod(lambda authorization: None)  # whom an Authorization names
    # how a request of a key is refused, behind so many that wait; None when it is to be read
    shed: Callable[[bytes, Key | None, int], Said | None] = staticmethod(lambda data, key, before: None)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.other = Client()
        self.going = False  # the gateway drains: the next answer is the last
        self.parted = False  # we have said all: what still comes is no request
        self.drop_timer: asyncio.TimerHandle | None = None  # while what is sent on is read for nobody
        self.rest = Rest(self.loop, self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.waiting = 0  # pieces of requests that have come, and whose turn has not
        self.refused: tuple[bytes, Said] | None = None  # such a piece, and its answer

    def data_received(self, data: bytes) -> None:
        if self.parted or (not self.waiting and self.turns.room()):
            self.received(data)
            return
        key = None if self.waiting else self.named(data)
        if self.turns.first(self.other.key):
            self.received(data)
        elif self.resting and (said := self.shed(data, key, self.turns.requests[self.other.key])):
            self.refused = data, said
            self.waiting += 1
            self.turns.refuse(self.turn_away)
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
        """Say what has been decided; a gateway that drains says more than that, and takes the usual way."""
        if not self.refused:
            return
        (data, said), self.refused = self.refused, None
        self.waiting -= 1
        if self.transport.is_closing():
            return
        if self.going:
            self.received(data)
            return
        self.transport.write(said(b"".join(b"%b: %b\r\n" % pair for pair in self.server_state.default_headers)))
        self.server_state.total_requests += 1
        self.rest.begin()

    def wait(self, data: bytes, key: str) -> None:
        """Until its turn; it must not pile up, but to stop a client costs more than to read a request."""
        if self.waiting or len(data) >= PIECE_BYTES:
            self.flow.hold()
        self.waiting += 1
        self.turns.requests[key] += 1
        self.turns.wait(key, functools.partial(self.go_on, data, key))

    def go_on(self, data: bytes, key: str) -> None:
        self.turn_away()  # it came before
        self.waiting -= 1
        self.turns.requests[key] -= 1
        if self.transport.is_closing():
            return
        if self.flow.held and not self.waiting:
            self.flow.release()
        self.received(data)

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
