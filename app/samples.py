"""Prompts and answers, kept only where the sampling switch is on, and never before they are redacted."""

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from app.call import Call
from app.exchange import Exchange
from app.feedback import DOWN, Recorder
from app.redaction import MAX_CHARS, Redactor, patterns
from app.said import Said, text_of
from app.settings import Settings

EVERY_SECONDS = 0.5
KEPT = 500  # samples that wait for a database that is down; beyond it the oldest go
TEXTS = ("messages", "prompt", "input", "instructions")


@dataclass
class Samples:
    """Chooses requests of users at their start; `run` writes those that have ended."""

    recorder: Recorder
    share: float
    redactor: Redactor
    waiting: deque[tuple[str, dict[str, Any], Exchange]] = field(default_factory=lambda: deque(maxlen=KEPT))

    ending: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, call: Call, document: dict[str, Any], exchange: Exchange) -> None:
        if call.source == "user" and random.random() < self.share:  # noqa: S311 - a share of traffic, no secret
            exchange.keep = True
            self.waiting.append((call.id, {name: document[name] for name in TEXTS if name in document}, exchange))

    async def run(self) -> None:
        """Until `ending` is set; whether the database is there is the recorder's to tell."""
        while not self.ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), EVERY_SECONDS)
            with suppress(*DOWN):
                await self.flush()

    async def flush(self) -> None:
        """Write what has ended, each beside the row of its query; what the database did not take stays."""
        ended = [one for one in self.waiting if one[2].over_with and not one[2].looking]  # its row can be there
        if ended:
            await self.recorder.flush()
        for one in ended:
            query, document, exchange = one
            prompt, answer = await asyncio.to_thread(self.redacted, document, exchange)
            await self.recorder.store.record(query, prompt, answer)
            with suppress(ValueError):  # so many came meanwhile that it had to go
                self.waiting.remove(one)

    def redacted(self, document: dict[str, Any], exchange: Exchange) -> tuple[str, str]:
        """Prompt and answer: a chat's prompt is the JSON of its messages, a single text stands as it is."""
        answer = answered(exchange.said) if all(map(single, document.values())) else ""
        clean = self.redactor.document(document)
        asked = next(iter(clean.values())) if len(clean) == 1 else clean
        prompt = asked if isinstance(asked, str) else json.dumps(asked, ensure_ascii=False)
        return prompt, self.redactor.text(answer)


def single(asked: Any) -> bool:
    """Whether it is one text or one chat that is kept whole: no list of prompts, and no tokens."""
    if isinstance(asked, list):
        return all(isinstance(one, dict) and "role" in one and single(str(one.get("content"))) for one in asked)
    return asked is None or (isinstance(asked, str) and len(asked) <= MAX_CHARS)


def answered(said: Said | None) -> str:
    """The one answer that is whole: others are no example of anything, and none is made of pieces."""
    if said is None or said.short or len(said.texts) != 1:
        return ""
    try:
        text = text_of(said.texts[0])
    except ValueError:  # bytes that are no text at all
        return ""
    return text if len(text) <= MAX_CHARS else ""


@asynccontextmanager
async def sampling(settings: Settings, recorder: Recorder | None) -> AsyncIterator[Samples | None]:
    """Samples that are written as long as the application runs; none where the switch is off."""
    if recorder is None or not settings.record_share:
        yield None
        return
    own = patterns(settings.redact_file) if settings.redact_file else ()
    samples = Samples(recorder, settings.record_share, Redactor(own))
    writing = asyncio.create_task(samples.run())
    try:
        yield samples
    finally:
        samples.ending.set()
        await writing  # with it goes what ended within the last moment
