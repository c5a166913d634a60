"""How connections are read: a piece at a time, and no further while somebody has stopped it."""

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

PIECE_BYTES = 32 * 1024  # a loop reads all that has come, of every connection, before it does anything else


class Reading(FlowControl):
    """uvicorn stops a connection while a body waits to be taken, and we until its turn has come."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.held = False

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    def fileno(self) -> int:
        number: int = self._transport.get_extra_info("socket").fileno()
        return number

    def hold(self) -> None:
        """Read no more until `release`, whatever uvicorn says."""
        self.held = True
        if not self.read_paused:
            self._transport.pause_reading()

    def release(self) -> None:
        self.held = False
        if not self.read_paused and not self.closing:
            self._transport.resume_reading()

    def pause_reading(self) -> None:
        if self.held:
            self.read_paused = True
        else:
            super().pause_reading()

    def resume_reading(self) -> None:
        if self.held:
            self.read_paused = False
        else:
            super().resume_reading()


class Reader(asyncio.BufferedProtocol):
    """A connection's protocol for the loop, which reads into `piece`; all else is for the protocol that it makes."""

    protocol: type[asyncio.Protocol]
    piece: memoryview  # one for all connections: what has been read is taken out before the next is

    def __init__(self, **given: Any) -> None:
        self.line = self.protocol(**given)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.line.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.piece

    def buffer_updated(self, nbytes: int) -> None:
        self.line.data_received(bytes(self.piece[:nbytes]))

    def eof_received(self) -> bool | None:
        return self.line.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.line.connection_lost(exc)

    def pause_writing(self) -> None:
        self.line.pause_writing()

    def resume_writing(self) -> None:
        self.line.resume_writing()
