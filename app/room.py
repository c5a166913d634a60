"""The bytes that requests under way hold, and their answers in one piece: too much is refused as soon as it comes.

A request that is still being sent has no place yet (`slots.py`), and may take its time; this it holds from its start.
"""

import sys

from app.errors import Busy
from app.tally import count

PART = 8  # of what is free, an eighth for one request: large ones are refused long before small ones find no room
GREED = 4  # a key may hold this many times what is still free, places too: alone 4/5 of all, two together 4/9 each


class Room:
    """`most` bytes for everybody."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0
        self.held: dict[str, int] = {}  # by key

    def hold(self, key: str = "") -> "Hold":
        return Hold(self, key)


class Hold:
    """What one request holds, until the block ends or it is freed; '' is no key."""

    def __init__(self, room: Room, key: str) -> None:
        self.room, self.key, self.size = room, key, 0

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *fault: object) -> None:
        self.free()

    def grow(self, size: int) -> None:
        """Hold so many bytes in all, if there are fewer.

        Raises:
            Busy: there is no room for them, or not for this request or key; what it held it holds.
        """
        if (more := size - self.size) <= 0:
            return
        room, free = self.room, self.room.most - self.room.taken
        if size * PART > free + self.size:
            raise Busy(429, "no_room", "too much is being sent at once: try again in a second")
        if self.key and room.held.get(self.key, 0) + more > GREED * (free - more):
            raise Busy(429, "unfair", "this key's requests hold most of the room: try again in a second")
        self.add(more)

    def add(self, more: int) -> None:
        self.size += more
        self.room.taken += more
        if self.key:
            count(self.room.held, self.key, more)

    def free(self) -> None:
        self.add(-self.size)


ENDLESS = Room(sys.maxsize).hold()  # where nobody counts
