"""Looks at answers after they have gone out: counted by arm, and never in a user's way."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable

from app import question, script
from app.metrics import Metrics, Where
from app.question import Question
from app.said import Said, text_of
from app.words import Words, normal

QUEUED = 1000  # answers that wait to be looked at; when more come, the oldest go unseen
GATHER_SECONDS = 0.02  # so long they wait at least: waking up for each would cost as much as looking at it
LOOKING_SECONDS = 0.0001  # at once: one long text, or some short ones
LONGEST_UNIT = 40  # characters that come again and again
Told = Callable[[dict[str, bool]], None]
TIMES, LEAST_LOOP = 12, 24  # fewer times, or fewer characters in all, may be a ruler, or a laugh


def found(said: Said, asked: Question, words: Words) -> dict[str, bool]:
    """Those of metrics.CHECKS that can be made, and whether they found something wrong in any of the texts."""
    texts = [text_of(pieces) for pieces in said.texts] or [""]
    wrong = {"empty": False, "replacement": False, "repetition": False}
    for text in texts:
        wrong["empty"] |= not text.strip()
        wrong["replacement"] |= "\ufffd" in text
        wrong["repetition"] |= loops(text.rstrip())
    if asked.json and not said.short:
        wrong["json"] = any(not is_json(text, asked.json) for text in texts)
    if not asked.json and (expected := script.asked(asked.text)):
        wrong["script"] = any(script.wrong(expected, text) for text in texts)
    if words:
        wrong["sensitive"] = any(words.inside(normal(text)) for text in texts)
    return wrong


def is_json(text: str, kind: str) -> bool:
    try:
        document = json.loads(text)
    except (RecursionError, ValueError):
        return False
    return kind != "json_object" or isinstance(document, dict)


def loops(text: str) -> bool:
    """Whether it ends in a loop: an engine that has lost itself does not find back."""
    for length in range(1, min(LONGEST_UNIT, len(text) // TIMES) + 1):
        times = max(TIMES, LEAST_LOOP // length)
        if text[-length:] == text[-2 * length : -length] and text.endswith(text[-length:] * times):
            return True
    return False


def unheard(results: dict[str, bool]) -> None:
    """For whoever only counts."""


class Checker:
    """Takes texts at once, and looks at them when nothing else runs."""

    def __init__(
        self, metrics: Metrics, words: Callable[[], Words] = Words, on: Callable[[], bool] = lambda: True
    ) -> None:
        self.metrics, self.words, self.on = metrics, words, on
        self.waiting: deque[tuple[Where, Said, Question, Told]] = deque()
        self.wanted = asyncio.Event()

    def add(self, where: Where, said: Said, asked: Question = question.NOTHING, told: Told = unheard) -> None:
        """`told` hears what was found, nothing where the answer went unseen."""
        if not self.on():
            told({})
            return
        if len(self.waiting) >= QUEUED:
            self.waiting.popleft()[3]({})
        self.waiting.append((where, said, asked, told))
        self.wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.wanted.wait()
            await asyncio.sleep(GATHER_SECONDS)
            while self.waiting:
                began = time.perf_counter()
                while self.waiting and time.perf_counter() - began < LOOKING_SECONDS:
                    self.look(*self.waiting.popleft())
                await asyncio.sleep(0)  # others' frames are between
            self.wanted.clear()

    def look(self, where: Where, said: Said, asked: Question = question.NOTHING, told: Told = unheard) -> None:
        try:
            results = found(said, asked, self.words())
        except ValueError:  # bytes that are no text at all
            results = {"replacement": True}
        told(results)
        for check, bad in results.items():
            self.metrics.checked.of[*where, check, "bad" if bad else "ok"].inc()
        self.metrics.ended(where[1])
