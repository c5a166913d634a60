"""The event loop's turns, shared out: only so much is begun in each, and what waits goes on key by key, one of each.

asyncio runs all that is ready before it looks at anything else. Two thousand requests of one client that come at once
would be two thousand that everybody else waits behind, and so would be the end of two thousand streams.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from itertools import islice

ROOM = 16  # of a twentieth of a millisecond each, which nobody notices
AHEAD = 2  # keys that get something done in each turn ahead of all that waits: those with little to do
EACH = 4  # things: two requests at once need as many, and would wait for one another
SECONDS = 0.00015  # of a turn while work waits: a request of somebody else waits for about three of them
REFUSING_SECONDS = 0.00015  # of a turn for refusals
NONE = 4  # turns in a row, at the most, in which nothing is done of what waits
Work = Callable[[], None]


class Turns:
    """Of one loop; `key` names whoever the work is done for, and has its own order.

    What is begun in a turn costs most later, where its tasks run and its sockets are read. So nobody asks what a work
    costs: after a short turn one more is done, after a long one half as many, even none while many requests come in.
    """

    def __init__(self, room: int = ROOM, clock: Callable[[], float] = time.perf_counter) -> None:
        self.size, self.clock, self.done = room, clock, 0
        self.most, self.none = room, 0  # to be done of what waits; turns in a row without any
        self.began = clock()
        self.waiting: dict[str, deque[Work]] = {}  # the next key first
        self.short: dict[str, None] = {}  # those of them with no more than would be done in one turn; the next first
        self.requests = Counter[str]()  # among what waits, by key
        self.begun = 0  # in this turn, as there was room: what it needs it may not have taken yet
        self.served = Counter[str]()  # in this turn ahead of others, by key
        self.refusals: deque[Work] = deque()  # which take next to nothing and wait for no work, the next first
        self.crowded = False  # until this turn ends
        self.turning = False  # the end of this turn will be seen

    def before(self, key: str) -> int:
        """How many requests of a key come before one that comes now, and have not found their place yet."""
        return self.requests[key] + self.begun

    def room(self) -> bool:
        """Whether work may be done at once: then it counts as done. Nothing overtakes what waits."""
        if self.waiting or self.crowded or self.done >= self.size:
            return False
        self.done += 1
        self.begun += 1
        self.ask()
        return True

    def ask(self) -> None:
        """See the end of this turn."""
        if not self.turning:
            self.turning = True
            asyncio.get_running_loop().call_soon(self.turn)

    def crowd(self) -> None:
        """Requests come that nobody has read, and may be somebody else's: until the turn ends there is no room."""
        self.crowded = True
        self.ask()

    def first(self, key: str) -> bool:
        """Whether work may be done at once although there is no room: some of a key that has nothing waiting."""
        many = self.served[key] >= EACH if key in self.served else len(self.served) >= AHEAD
        if many or key in self.waiting:
            return False
        self.served[key] += 1
        return True

    def wait(self, key: str, work: Work) -> None:
        """Work for which there was no room: it is done in one of the next turns."""
        self.ask()
        queue = self.waiting.setdefault(key, deque())
        queue.append(work)
        if len(queue) == 1:
            self.short[key] = None
        elif len(queue) > self.size:
            self.short.pop(key, None)

    def refuse(self, work: Work, ahead: bool = False) -> None:
        """A refusal, whoever asked: it is given in one of the next turns, `ahead` of those that came before it."""
        self.ask()
        if ahead:
            self.refusals.appendleft(work)
        else:
            self.refusals.append(work)

    def turn(self) -> None:
        """The next turn begins: for those that wait first."""
        self.fit()
        self.done, self.begun, self.crowded = 0, 0, False
        self.turning = bool(self.waiting or self.refusals)
        self.served.clear()
        if not self.turning:
            return
        asyncio.get_running_loop().call_soon(self.turn)  # before anything is done, which may fail
        for key in list(islice(self.short, AHEAD)):
            while key in self.waiting and self.served[key] < EACH:
                self.served[key] += 1
                self.next(key)()
        while self.refusals and self.clock() - self.began < REFUSING_SECONDS:
            self.refusals.popleft()()
        while self.waiting and self.done < self.most:
            self.done += 1
            self.next(next(iter(self.waiting)))()

    def fit(self) -> None:
        """How much of what waits this turn is for, by how long the last one took."""
        began, self.began = self.began, self.clock()
        self.most = min(self.size, self.most + 1) if self.began - began <= SECONDS else self.most // 2
        self.none = 0 if self.most else self.none + 1
        if self.none > NONE:
            self.most, self.none = 1, 0

    def next(self, key: str) -> Work:
        queue = self.waiting.pop(key)
        work = queue.popleft()
        self.short.pop(key, None)
        if queue:
            self.waiting[key] = queue  # behind the others
            if len(queue) <= self.size:
                self.short[key] = None
        return work
