"""Within an arm, the pod with the fewest requests of ours in flight; one that keeps failing is passed over."""

import random
import time
from collections import Counter
from collections.abc import Sequence

from app.tally import count

FAILURES = 5  # in a row
OPEN_SECONDS = 10


class Seat:
    """A request's place on an engine, until it is left."""

    def __init__(self, balance: "Balance", engine: str) -> None:
        self.balance, self.engine = balance, engine
        count(balance.inflight, engine, 1)

    def __enter__(self) -> str:
        return self.engine

    def __exit__(self, *fault: object) -> None:
        self.leave()

    def leave(self) -> None:
        count(self.balance.inflight, self.engine, -1)


class Balance:
    def __init__(self) -> None:
        self.inflight: dict[str, int] = {}
        self.failures: Counter[str] = Counter()
        self.open_until: dict[str, float] = {}

    def least(self, engines: Sequence[str]) -> Seat:
        """Take one of the engines; ties are broken at random."""
        if len(engines) == 1:
            return Seat(self, engines[0])
        closed = self.closed(engines)
        lowest = min(self.inflight.get(engine, 0) for engine in closed)
        return Seat(self, random.choice([one for one in closed if self.inflight.get(one, 0) == lowest]))  # noqa: S311

    def closed(self, engines: Sequence[str]) -> Sequence[str]:
        """Those that may be asked: all, when all keep failing, for the gates need to see an arm fail."""
        if not self.open_until:
            return engines
        now = time.monotonic()
        return [one for one in engines if self.open_until.get(one, 0) <= now] or engines

    def worked(self, engine: str) -> None:
        if self.failures:
            self.failures.pop(engine, None)
            self.open_until.pop(engine, None)

    def failed(self, engine: str) -> None:
        """Open its circuit after some failures in a row, and at once when it fails again after that."""
        self.failures[engine] += 1
        if self.failures[engine] >= FAILURES:
            self.open_until[engine] = time.monotonic() + OPEN_SECONDS

    def known(self, engines: Sequence[str]) -> None:
        """Forget pods that are gone."""
        for engine in set(self.failures) - set(engines):
            del self.failures[engine]
            self.open_until.pop(engine, None)

    @property
    def open(self) -> int:
        """Pods that are passed over now."""
        now = time.monotonic()
        return sum(until > now for until in self.open_until.values())
