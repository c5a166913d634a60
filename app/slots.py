"""The places of one gateway, and who holds them: nobody may take so many that the next one finds none."""

import math
from collections.abc import Callable

from app.arms import Arms
from app.errors import Busy
from app.keys import Key
from app.room import GREED
from app.tally import count

ALONE = " (of this gateway pod alone)"  # what a key is told whose limit holds per pod
SPREAD = 2  # equal shares that a gateway may take: users keep their connections, and are never spread evenly


class Slots:
    """`most` requests at once, fewer where the engines have not so many places; the free ones are for everybody.

    `whose` says of a key's own limit that it holds for this pod alone, where it does.
    """

    def __init__(self, most: int, per_engine: int = 0, whose: Callable[[], str] = lambda: ALONE) -> None:
        self.whose = whose
        self.limit, self.per_engine = most, per_engine
        self.most = most
        self.held: dict[str, int] = {}
        self.taken = 0

    def fit(self, arms: Arms) -> None:
        """Know this gateway's part of the places that the engines have; an engine that is away is seen to fail."""
        if self.per_engine:
            engines = max(1, len({*arms.stable, *arms.canary}))
            places = self.per_engine * engines
            self.most = min(self.limit, places, math.ceil(SPREAD * places / arms.gateways))

    def look(self, key: Key | None) -> None:
        """Nothing, when there is a place.

        Raises:
            Busy: there is none, or not for this key.
        """
        if refusal := self.refusal(key):
            raise refusal

    def refusal(self, key: Key | None, before: int = 0) -> Busy | None:
        """What `look` raises; `before` are the key's requests that came sooner and wait unread."""
        code = self.full(key, before)
        if code == "overloaded":
            return Busy(429, code, f"{self.most} requests are under way: try again in a second")
        if code == "concurrency_exceeded" and key:
            return Busy(429, code, f"{key.concurrency} requests of this key{self.whose()} are under way")
        if code:
            return Busy(429, code, "this key holds most of the places: try again in a second")
        return None

    def full(self, key: Key | None, before: int = 0) -> str:
        """The code of that refusal, empty where there is a place."""
        taken = self.taken + before
        if taken >= self.most:
            return "overloaded"
        if key:
            held = self.held.get(key.name, 0) + before
            if key.concurrency and held >= key.concurrency:
                return "concurrency_exceeded"
            if held >= GREED * (self.most - taken):
                return "unfair"
        return ""

    def take(self, key: Key | None) -> None:
        """Take a place, to be freed with `free`. Raises as `look`."""
        self.look(key)
        self.taken += 1
        if key:
            count(self.held, key.name, 1)

    def free(self, key: Key | None) -> None:
        self.taken -= 1
        if key:
            count(self.held, key.name, -1)
