"""The event loop's turns, shared out: only so much is begun in each, and what waits goes on key by key, one of each.

asyncio runs all that is ready before it looks at anything else. Two thousand requests of one client that come at once
would be two thousand that everybody else waits behind, and so would be the end of two thousand streams.
"""

import asyncio
from collections import deque
from collections.abc import Callable

ROOM = 16  # of a twentieth of a millisecond each, which nobody notices
MOST = 2  # and when it is more: a request of somebody else waits for about three turns
Work = Callable[[], None]


class Turns:
    """Of one loop; `key` names whoever the work is done for, and has its own order."""

    def __init__(self, room: int = ROOM, most: int = MOST) -> None:
        self.size, self.most, self.done = room, most, 0
        self.waiting: dict[str, deque[Work]] = {}  # the next key first
        self.served = set[str]()  # who got something done ahead of others in this turn
        self.turning = False  # the end of this turn will be seen

    def room(self) -> bool:
        """Whether work may be done at once: then it counts as done. Nothing overtakes what waits."""
        if self.waiting or self.done >= self.size:
            return False
        self.done += 1
        if not self.turning:
            self.turning = True
            asyncio.get_running_loop().call_soon(self.turn)
        return True

    def first(self, key: str) -> bool:
        """Whether work may be done at once although there is no room: one of a key that has nothing waiting."""
        if key in self.waiting or key in self.served or len(self.served) >= self.most:
            return False
        self.served.add(key)
        return True

    def wait(self, key: str, work: Work) -> None:
        """Work for which there was no room: it is done in one of the next turns."""
        if key in self.waiting:
            self.waiting[key].append(work)
        else:
            self.waiting[key] = deque((work,))

    def turn(self) -> None:
        """The next turn begins: for those that wait first."""
        self.done, self.turning = 0, bool(self.waiting)
        self.served.clear()
        if self.turning:  # asked for before anything is done, which may fail
            asyncio.get_running_loop().call_soon(self.turn)
        while self.waiting and self.done < self.most:
            self.done += 1
            self.next()()

    def next(self) -> Work:
        key = next(iter(self.waiting))
        queue = self.waiting.pop(key)
        work = queue.popleft()
        if queue:
            self.waiting[key] = queue  # behind the others
        return work
