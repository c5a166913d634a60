"""Which engines there are, which of them are the canary's, and who gets which."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from app.settings import Settings

STABLE, CANARY = "stable", "canary"
Listener = Callable[["Arms"], None]


def parts_of(release: str) -> tuple[str, str]:
    """Version and revision of a release like v1.2.0-r3."""
    version, _, revision = release.rpartition("-r")
    return version, revision


@dataclass(frozen=True)
class Arms:
    """One consistent view: the weight that chooses and the labels that count belong together.

    `weight` in percent; `stable` and `canary` are the base URLs of pods that are ready.
    """

    rollout: str
    release: str
    version: str
    in_progress: bool
    weight: float
    stable: tuple[str, ...]
    canary: tuple[str, ...] = ()
    canary_started: bool = True  # one of its pods has been ready: from then on its absence is a failure
    stable_release: str = ""  # what stable runs, where that is known to be another than `release`
    gateways: int = 1  # that share these engines

    @cached_property
    def step(self) -> str:
        """The weight as the metrics' label; without a release in progress everything is at 100."""
        return f"{self.weight:g}" if self.in_progress else "100"

    @property
    def has_canary(self) -> bool:
        return self.in_progress and self.canary_started

    @cached_property
    def given_by(self) -> dict[str, tuple[str, str]]:
        """Version and revision of what each arm runs: `release` is the one in progress, whichever arm answers."""
        return {STABLE: parts_of(self.stable_release or self.release), CANARY: parts_of(self.release)}

    def engines(self, arm: str) -> tuple[str, ...]:
        return self.canary if arm == CANARY else self.stable

    def choose(self, user: str, salt: str, *, first: bool = False) -> str:
        """The arm of a user, the same as long as the weight only grows; without an id at random.

        Who is `first` is on the canary as soon as it takes users at all, beside those that the weight puts there.
        """
        if not self.in_progress or self.weight <= 0:
            return STABLE
        if first:
            return CANARY
        share = place(user, salt) if user else random.random() * 100  # noqa: S311 - a share of traffic, no secret
        return CANARY if share < self.weight else STABLE


def place(user: str, salt: str) -> float:
    """A user's place from 0 to 100, evenly spread: the canary's when it is below the weight."""
    digest = hashlib.blake2b(f"{salt}\0{user}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100


class Board:
    """The newest view; whoever listens hears of each new one before a request is counted under it."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = list(listeners)
        self.arms: Arms | None = None

    def hears(self, listener: Listener) -> None:
        """One more that listens, to the view that is there already too."""
        self.listeners.append(listener)
        if self.arms:
            listener(self.arms)

    def show(self, arms: Arms) -> None:
        if arms == self.arms:
            return
        self.arms = arms
        for listener in self.listeners:
            listener(arms)

    @property
    def ready(self) -> bool:
        return self.arms is not None and bool(self.arms.stable)


def static(settings: Settings) -> Arms:
    """Arms from the settings, for a laptop."""
    canary = urls(settings.canary_urls)
    return Arms(
        rollout=settings.rollout_label,
        release=f"{settings.version}-r0",
        version=settings.version,
        in_progress=bool(canary),
        weight=settings.canary_weight,
        stable=urls(settings.stable_urls),
        canary=canary,
    )


def urls(text: str) -> tuple[str, ...]:
    return tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
