"""The parts of one gateway, put together: what a route needs to answer a request."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from app.arms import CANARY, STABLE, Arms, Board
from app.balance import Balance
from app.budget import Budget
from app.call import Call
from app.errors import Busy, Refusal
from app.exchange import Exchange, Ledger
from app.feedback import Recorder
from app.keys import Key, Keys
from app.metrics import Metrics
from app.mounted import Mounted
from app.quota import Quotas
from app.samples import Samples
from app.settings import Settings
from app.shapes import Shapes
from app.slots import Slots
from app.traces import Traces
from app.words import Words

DRAINED = "drained"  # why an answer was cancelled


@dataclass
class Gateway:
    settings: Settings
    metrics: Metrics
    ledger: Ledger
    board: Board
    session: aiohttp.ClientSession
    budget: Budget
    keys: Keys
    slots: Slots
    quotas: Quotas
    traces: Traces
    balance: Balance = field(default_factory=Balance)
    draining: bool = False
    unfinished: set[asyncio.Task[Any]] = field(default_factory=set)  # answers under way
    recorder: Recorder | None = None
    samples: Samples | None = None
    shapes: Shapes = field(init=False)
    words: Mounted[Words] | None = None

    def __post_init__(self) -> None:
        self.shapes = Shapes(self.settings)

    @property
    def arms(self) -> Arms:
        """The newest view.

        Raises:
            Busy: no engine is known yet.
        """
        if self.board.arms is None:
            raise Busy(503, "not_ready", "the gateway knows no engine yet: try again shortly")
        return self.board.arms

    def begin(self, call: Call, key: Key | None) -> tuple[Arms, Exchange]:
        """Choose the arm and count the start, from one view.

        Raises:
            Busy: too many requests are under way.
            Refusal: a probe wants a canary and there is none.
        """
        arms = self.arms
        if call.arm == CANARY and not arms.has_canary:
            raise Refusal(409, "no_canary", "no release is in progress: there is no canary to probe")
        self.slots.take(key)
        arm = call.arm or arms.choose(call.user, self.settings.salt)
        if arm == STABLE:
            self.budget.earn()
        exchange = self.ledger.begin(arms, arm, call.source, call.user, stream=call.stream)
        exchange.question = call.question
        exchange.whenever = lambda tokens: self.free(key, tokens)
        if self.recorder:
            self.recorder.begin(call.id, call.user, exchange)
        return arms, exchange

    @property
    def blocked(self) -> Words | None:
        """The words that no answer may hold, where there are such."""
        return self.words.now or None if self.words and self.settings.block_words else None

    def free(self, key: Key | None, tokens: int) -> None:
        self.slots.free(key)
        if key:
            self.quotas.spend(key, tokens)

    def close(self) -> None:
        """The time to drain is up: what still runs is told so."""
        for answer in list(self.unfinished):
            answer.cancel(DRAINED)

    def drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take no new work, and give what runs its time."""
        self.draining = True
        loop.call_later(self.settings.drain_seconds, self.close)


def headers(arms: Arms, arm: str, call: Call) -> dict[str, str]:
    """What every answer says about who gave it; a probe also hears which release is judged."""
    probe = {"x-sluice-rollout": arms.rollout, "x-sluice-release": arms.release} if call.source == "probe" else {}
    return {
        "x-request-id": call.id,
        "x-sluice-arm": arm,
        "x-sluice-version": arms.version,
        "x-sluice-step": arms.step,
        **probe,
    }
