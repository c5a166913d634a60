"""The parts of one gateway, put together: what a route needs to answer a request."""

import asyncio
import functools
import hmac
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fastapi import FastAPI

from app.arms import CANARY, STABLE, Arms, Board
from app.balance import Balance
from app.budget import Budget
from app.call import Call, Ids
from app.errors import Busy, Refusal
from app.exchange import Exchange, Ledger
from app.feedback import Recorder
from app.flags import NOTHING, Chosen, Flags
from app.keys import Key, Keys
from app.metrics import Metrics
from app.mounted import Mounted
from app.person import Person
from app.pool import Pool
from app.quota import Quotas
from app.room import Hold, Room
from app.samples import Samples
from app.settings import Settings
from app.shapes import Shapes
from app.slots import Slots
from app.traces import Traces
from app.variant import NONE
from app.words import Words

DRAINED = "drained"  # why an answer was cancelled
Header = tuple[bytes, bytes]
BYTES_PER_TOKEN = 4  # of a prompt, about; 3 are a Chinese character


class Place(NamedTuple):
    """Where a request goes, and as what."""

    arms: Arms
    arm: str
    chosen: Chosen = NOTHING


@dataclass
class Gateway:
    settings: Settings
    metrics: Metrics
    ledger: Ledger
    board: Board
    pool: Pool
    budget: Budget
    keys: Keys
    slots: Slots
    quotas: Quotas
    traces: Traces
    flag_file: Mounted[Flags]
    balance: Balance = field(default_factory=Balance)
    ids: Ids = field(default_factory=Ids)
    draining: bool = False
    unfinished: set[asyncio.Task[Any]] = field(default_factory=set)  # answers under way
    recorder: Recorder | None = None
    samples: Samples | None = None
    shapes: Shapes = field(init=False)
    room: Room = field(init=False)
    words: Mounted[Words] | None = None

    def __post_init__(self) -> None:
        self.shapes, self.room = Shapes(self.settings), Room(self.settings.max_held_bytes)

    @property
    def arms(self) -> Arms:
        """The newest view.

        Raises:
            Busy: no engine is known yet.
        """
        if self.board.arms is None:
            raise Busy(503, "not_ready", "the gateway knows no engine yet: try again shortly")
        return self.board.arms

    @property
    def flags(self) -> Flags:
        return self.flag_file.now

    def place(self, person: Person, wish: str | None, source: str) -> "Place":
        """Choose arm and variant from one view; a probe has an arm and no variant but the default.

        Raises:
            Refusal: a probe wants a canary and there is none.
        """
        arms, flags = self.arms, self.flags
        if wish == CANARY and not arms.has_canary:
            raise Refusal(409, "no_canary", "no release is in progress: there is no canary to probe")
        if source == "probe":
            return Place(arms, wish or STABLE, flags.default)
        first = arms.in_progress and flags.first(person)
        arm = arms.choose(person.user, self.settings.salt, first=first)
        return Place(arms, arm, flags.chosen(person, arm))

    def begin(self, call: Call, key: Key | None, place: "Place", lease: str = "") -> Exchange:
        """Count the start; nothing may be waited for since its place was chosen.

        Raises:
            Busy: too many requests are under way.
        """
        self.slots.take(key)
        if place.arm == STABLE:
            self.budget.earn()
        exchange = self.ledger.begin(place.arms, place.arm, call.source, call.user, stream=call.stream)
        exchange.question, exchange.prompt = call.question, len(call.body) // BYTES_PER_TOKEN
        exchange.variant = place.chosen.name if place.chosen is not NOTHING else ""
        exchange.whenever = functools.partial(self.free, key, lease, call.hold)
        if self.recorder:
            self.recorder.begin(call.id, call.user, exchange)
        return exchange

    @property
    def blocked(self) -> Words | None:
        """The words that no answer may hold, where there are such."""
        return self.words.now or None if self.words and self.settings.block_words else None

    def free(self, key: Key | None, lease: str, hold: Hold, tokens: int) -> None:
        self.slots.free(key)
        hold.free()
        if key:
            self.quotas.spend(key, tokens)
            self.quotas.end(key, lease)

    def close(self) -> None:
        """The time to drain is up: what still runs is told so."""
        for answer in list(self.unfinished):
            answer.cancel(DRAINED)

    def drain(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take no new work, and give what runs its time."""
        self.draining = True
        loop.call_later(self.settings.drain_seconds, self.close)


def headers(arms: Arms, exchange: Exchange, call: Call) -> list[Header]:
    """What every answer says about who gave it; a probe also hears which release is judged."""
    judged = (arms.rollout, arms.release) if call.source == "probe" else ()
    version, variant = exchange.given_by[0], exchange.variant or NONE
    common = given(exchange.arm, version, variant, arms.step, exchange.rescued, *judged)
    return [(b"x-request-id", call.id.encode("latin-1")), *common]


@functools.lru_cache(maxsize=1024)
def given(arm: str, version: str, variant: str, step: str, rescued: bool, *judged: str) -> tuple[Header, ...]:
    """Those that many answers have in common."""
    said = {"x-sluice-arm": arm, "x-sluice-version": version, "x-sluice-variant": variant, "x-sluice-step": step}
    said |= {"x-sluice-rescued": "1"} if rescued else {}
    said |= dict(zip(("x-sluice-rollout", "x-sluice-release"), judged, strict=False))
    return tuple((name.encode(), value.encode("latin-1")) for name, value in said.items())


def running(app: FastAPI) -> Gateway | None:
    """The gateway of an application; None before it has started."""
    return getattr(app.state, "gateway", None)


def unplaced(app: FastAPI) -> dict[str, str]:
    """What an answer says that no engine took part in: a refusal, a list of models."""
    gateway = running(app)
    arms = gateway.board.arms if gateway else None
    return {"x-sluice-version": arms.version if arms else app.state.settings.version, "x-sluice-variant": NONE}


class Whose:
    """Whose requests come: a crowd shows one API key again and again, and to compare costs a third of a hash."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.shown = b""  # the last time
        self.found: Key | None = None
        self.table: dict[str, Key] | None = None  # in which it was found

    def __call__(self, authorization: str) -> Key | None:
        """The API key that is shown; None where none is asked for, and for one that nobody has."""
        gateway = running(self.app)
        if not gateway:
            return None
        shown = authorization.encode("latin-1")
        if gateway.keys.now is not self.table or not hmac.compare_digest(shown, self.shown):
            self.shown, self.table, self.found = shown, gateway.keys.now, known(gateway.keys, authorization)
        return self.found


def known(keys: Keys, authorization: str) -> Key | None:
    try:
        return keys.of(authorization)
    except Refusal:
        return None
