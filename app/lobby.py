"""Connections that nobody knows yet, or that were refused: of those that speak up at once only so many are read a turn.

A loop reads all that has come before it does anything else, and the first requests of a thousand new connections take
10 to 20 ms to read, in one turn that everybody waits behind. So these wait in a set of their own, which the loop looks
into once in a turn, and which names those first that spoke first.
"""

import asyncio
import select

from app.reading import Reading
from app.turns import Turns

FEW = 6  # connections, of some 20 us each


class Lobby:
    """Of one loop, which it finds when the first one enters."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.silent = select.epoll()
        self.inside: dict[int, Reading] = {}  # by their sockets
        self.sockets: dict[Reading, int] = {}
        self.watched = False

    def enter(self, connection: Reading) -> None:
        """Read nothing of it until it has said something and its turn has come."""
        if connection.closing or connection in self.sockets:
            return
        if not self.watched:
            self.watched = True
            asyncio.get_running_loop().add_reader(self.silent.fileno(), self.call)
        connection.hold()
        socket = connection.fileno()
        self.inside[socket], self.sockets[connection] = connection, socket
        self.silent.register(socket, select.EPOLLIN)

    def call(self) -> None:
        """The next few of those that have said something, or have gone: they are read in this loop's next turn."""
        spoke = self.silent.poll(0, FEW)
        if len(spoke) == FEW:
            self.turns.crowd()
        for socket, _ in spoke:
            self.silent.unregister(socket)
            connection = self.inside.pop(socket)
            del self.sockets[connection]
            connection.release()

    def leave(self, connection: Reading) -> None:
        """It is closed, and with that out of the kernel's set; its socket's number may be another one's by now."""
        socket = self.sockets.pop(connection, None)
        if socket is not None and self.inside.get(socket) is connection:
            del self.inside[socket]
