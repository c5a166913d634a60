"""A failure of the canary that its user need not see: stable answers instead, once, as long as the budget lasts."""

from dataclasses import dataclass, field

from app.arms import CANARY, STABLE, Arms
from app.call import Call
from app.errors import Declined, EngineFault
from app.exchange import Exchange
from app.gateway import Gateway
from app.relay import Attempt, Opened


@dataclass(slots=True)
class Rescue:
    """One request's way to an answer: at most two attempts, and the second only ever on stable."""

    gateway: Gateway
    call: Call
    arms: Arms
    exchange: Exchange
    asking: Attempt = field(init=False)  # the attempt whose answer is handed on

    async def __aenter__(self) -> Opened:
        """The answer of the request's arm, or stable's in its place; nothing has gone to the user before.

        Raises:
            EngineFault: what the user is to be told; its outcome is the one to be counted.
        """
        self.asking = self.attempt(self.exchange.arm)
        try:
            return await self.asking.__aenter__()
        except EngineFault as fault:
            if not self.possible or not self.may_be_tried(fault):
                raise
            return await self.second(fault)

    async def __aexit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        self.asking.over(fault)

    def attempt(self, arm: str) -> Attempt:
        return Attempt(self.gateway, self.call, self.arms, self.exchange, arm, patient=self.possible)

    @property
    def possible(self) -> bool:
        """A probe wants to know of its arm alone, and what the engine stores must not be stored twice."""
        if self.exchange.arm != CANARY or self.call.source != "user" or not self.call.repeatable:
            return False
        return self.gateway.budget.share > 0 and self.gateway.flags.on("rescue")

    def may_be_tried(self, fault: EngineFault) -> bool:
        if self.exchange.age >= self.gateway.settings.total_seconds:
            return False
        if self.gateway.budget.spend():
            return True
        self.count("no_budget")
        return False

    async def second(self, fault: EngineFault) -> Opened:
        """Stable's answer, whose beginning is the proof that the canary was to blame; without it nobody is."""
        # an engine's 4xx where the other engine answers is an error in place of an answer
        self.exchange.failure = "stream_error" if isinstance(fault, Declined) else fault.outcome
        self.asking = self.attempt(STABLE)
        try:
            opened = await self.asking.__aenter__()
        except EngineFault as second:
            self.count("failed")
            second.outcome = "prompt"
            raise
        self.count("answered")
        self.exchange.rescued = True
        self.exchange.blame(self.exchange.failure)
        return opened

    def count(self, result: str) -> None:
        self.gateway.metrics.rescues.of[*self.exchange.where[:3], result].inc()
