"""The parts of one gateway, put together: what a route needs to answer a request."""

from dataclasses import dataclass, field

import aiohttp

from app.arms import CANARY, Arms, Board
from app.balance import Balance
from app.baseline import Baseline
from app.call import Call
from app.errors import Busy, Refusal
from app.exchange import Exchange, Ledger
from app.feedback import Recorder
from app.metrics import Metrics
from app.settings import Settings


@dataclass
class Gateway:
    settings: Settings
    metrics: Metrics
    baseline: Baseline
    ledger: Ledger
    board: Board
    session: aiohttp.ClientSession
    balance: Balance = field(default_factory=Balance)
    draining: bool = False
    recorder: Recorder | None = None

    def begin(self, call: Call) -> tuple[Arms, Exchange]:
        """Choose the arm and count the start, from one view.

        Raises:
            Busy: too many requests are under way.
            Refusal: a probe wants a canary and there is none, or no engine is known yet.
        """
        arms = self.board.arms
        if arms is None:
            raise Refusal(503, "not_ready", "the gateway knows no engine yet: try again shortly")
        if call.arm == CANARY and not arms.has_canary:
            raise Refusal(409, "no_canary", "no release is in progress: there is no canary to probe")
        arm = call.arm or arms.choose(call.user, self.settings.salt)
        exchange = self.ledger.begin(arms, arm, call.source, call.user)
        if len(self.ledger.running) > self.settings.max_inflight:
            exchange.end("rejected")
            raise Busy(429, "overloaded", f"{self.settings.max_inflight} requests are under way: try again in a second")
        if self.recorder:
            self.recorder.begin(call.id, call.user, exchange)
        return arms, exchange


def headers(arms: Arms, arm: str, call: Call) -> dict[str, str]:
    """What every answer says about who gave it."""
    return {
        "x-request-id": call.id,
        "x-sluice-arm": arm,
        "x-sluice-version": arms.version,
        "x-sluice-step": arms.step,
    }
