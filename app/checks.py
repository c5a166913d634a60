"""Looks at answers after they have gone out: counted by arm, and never in a user's way."""

import asyncio
import json
from collections import deque

from app import sse
from app.metrics import CHECKS, Metrics, Where

QUEUED = 1000  # answers that wait to be looked at; when more come, the oldest go unseen
LONGEST_UNIT = 40  # characters that come again and again
TIMES, LEAST_LOOP = 12, 24  # fewer times, or fewer characters in all, may be a ruler, or a laugh


def found(text: str) -> dict[str, bool]:
    """Each check of metrics.CHECKS, and whether it found something wrong with the text."""
    return {"empty": not text.strip(), "replacement": "\ufffd" in text, "repetition": loops(text.rstrip())}


def loops(text: str) -> bool:
    """Whether it ends in a loop: an engine that has lost itself does not find back."""
    for length in range(1, min(LONGEST_UNIT, len(text) // TIMES) + 1):
        times = max(TIMES, LEAST_LOOP // length)
        if text[-length:] == text[-2 * length : -length] and text.endswith(text[-length:] * times):
            return True
    return False


def text_of(said: sse.Said) -> str:
    """The pieces as one text; half a character is as good as one that was replaced."""
    text: str = json.loads(b'"%b"' % b"".join(said))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Checker:
    """Takes texts at once, and looks at them when nothing else runs."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.waiting: deque[tuple[Where, sse.Said]] = deque(maxlen=QUEUED)
        self.wanted = asyncio.Event()

    def add(self, where: Where, said: sse.Said) -> None:
        self.waiting.append((where, said))
        self.wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.wanted.wait()
            while self.waiting:
                self.look(*self.waiting.popleft())
                await asyncio.sleep(0)  # one text at a time between the frames of others
            self.wanted.clear()

    def look(self, where: Where, said: sse.Said) -> None:
        try:
            results = found(text_of(said))
        except ValueError:  # bytes that are no text at all
            results = dict.fromkeys(CHECKS, False) | {"replacement": True}
        for check, bad in results.items():
            self.metrics.checked.labels(*where, check, "bad" if bad else "ok").inc()
        self.metrics.ended(where[1])
