"""Within an arm, the pod with the fewest requests of ours in flight; one that keeps failing is passed over."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

FAILURES = 5  # in a row
OPEN_SECONDS = 10


class Balance:
    def __init__(self) -> None:
        self.inflight: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.open_until: dict[str, float] = {}

    @contextmanager
    def least(self, engines: Sequence[str]) -> Iterator[str]:
        """Take one of the engines for as long as the block runs; ties are broken at random."""
        closed = self.closed(engines)
        lowest = min(self.inflight[engine] for engine in closed)
        engine = random.choice([one for one in closed if self.inflight[one] == lowest])  # noqa: S311
        self.inflight[engine] += 1
        try:
            yield engine
        finally:
            self.inflight[engine] -= 1
            if not self.inflight[engine]:
                del self.inflight[engine]

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
