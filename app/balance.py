"""Within an arm, the pod with the fewest requests of ours in flight."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Balance:
    def __init__(self) -> None:
        self.inflight: Counter[str] = Counter()

    @contextmanager
    def least(self, engines: Sequence[str]) -> Iterator[str]:
        """Take one of the engines for as long as the block runs; ties are broken at random."""
        lowest = min(self.inflight[engine] for engine in engines)
        engine = random.choice([one for one in engines if self.inflight[one] == lowest])  # noqa: S311
        self.inflight[engine] += 1
        try:
            yield engine
        finally:
            self.inflight[engine] -= 1
            if not self.inflight[engine]:
                del self.inflight[engine]
