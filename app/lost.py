"""How a connection to an engine fails.

Lost             the connection did not do its part; `started` once a byte of the answer had come
├── Unreachable  there was none
├── HungUp       the engine closed it before its answer's end
└── Garbled      what came is not HTTP
"""

import asyncio
import fcntl
import struct
import termios


class Lost(Exception):
    def __init__(self, message: str, *, started: bool = False) -> None:
        super().__init__(message)
        self.started = started


class Unreachable(Lost):
    pass


class HungUp(Lost):
    """`untaken`: its kernel had not got all of the request; `reset`: or its process had not read all of it."""

    def __init__(self, message: str, *, started: bool = False, untaken: bool = False, reset: bool = False) -> None:
        super().__init__(message, started=started)
        self.untaken, self.reset = untaken, reset


class Garbled(Lost):
    pass


def untaken(transport: asyncio.Transport) -> bool:
    """Whether the other side closed before all that was sent had come there: its FIN says up to which byte."""
    if transport.get_write_buffer_size():
        return True
    try:
        waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:  # no Linux: nobody knows
        return False
    return bool(struct.unpack("i", waiting)[0])
