"""What a Rollout said of itself while it went on: sampled, and written down when it changes."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from lab.follower import Follower
from release.cluster import Cluster, State
from release.errors import ReleaseError

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Moment:
    """`at` in unix seconds, `weight` in percent on the newest template."""

    at: float
    version: str
    revision: str
    weight: int
    step: int
    phase: str
    abort: bool
    verdict: str
    pods: int = 0  # of the newest template

    @classmethod
    def of(cls, state: State) -> "Moment":
        return cls(
            *(time.time(), state.version, state.revision, state.weight, state.step),
            *(state.phase, state.abort, state.verdict(), state.updated),
        )

    def same(self, other: "Moment") -> bool:
        mine, theirs = asdict(self), asdict(other)
        return all(mine[key] == theirs[key] for key in mine if key != "at")


class Timeline(Follower):
    """Follows one Rollout; an API server that is away leaves a gap."""

    pause = POLL_SECONDS

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster = cluster
        self.moments: list[Moment] = []
        self.changed = threading.Condition()

    def look(self) -> None:
        with contextlib.suppress(ReleaseError):
            state = self.cluster.state()
            if state.observed:  # before that, status still speaks of the release before
                self.note(Moment.of(state))

    def note(self, moment: Moment) -> None:
        if self.moments and self.moments[-1].same(moment):
            return
        with self.changed:
            self.moments.append(moment)
            self.changed.notify_all()

    def of(self, version: str) -> list[Moment]:
        return [one for one in self.moments if one.version == version]

    def wait_first(self, seconds: float = 30) -> list[Moment]:
        """What the Rollout said first."""
        self.wait(lambda: bool(self.moments), seconds)
        return self.moments[:1]

    def news(self, version: str, seen: int, seconds: float) -> list[Moment]:
        """What there is beyond the first `seen` moments, waiting up to `seconds` for it."""
        self.wait(lambda: len(self.of(version)) > seen, seconds)
        return self.of(version)[seen:]

    def wait_weight(self, version: str, weight: int, seconds: float) -> bool:
        """Whether the version got to that weight, or beyond, within the time; no longer once it has a verdict."""
        return self.wait(lambda: self.reached(version, weight) or self.ended(version), seconds) and self.reached(
            version, weight
        )

    def wait_verdict(self, version: str, seconds: float) -> str:
        self.wait(lambda: self.ended(version), seconds)
        last = self.of(version)[-1:]
        return last[0].verdict if last else "waiting"

    def wait(self, what: Callable[[], bool], seconds: float) -> bool:
        with self.changed:
            return self.changed.wait_for(what, timeout=seconds)

    def reached(self, version: str, weight: int) -> bool:
        return any(one.weight >= weight for one in self.of(version))

    def ended(self, version: str) -> bool:
        return any(one.verdict in ("promoted", "aborted") for one in self.of(version)[-1:])
