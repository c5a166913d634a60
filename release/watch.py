"""Follow a release to its verdict; only reads, so that its death changes nothing and it can be picked up again."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from release.cluster import Cluster, State
from release.errors import Aborted, TimedOut, Unreachable
from release.prometheus import UNDECIDED, Evidence, Prometheus, Silent

PAUSE = 1.0  # seconds between two looks: an abort is 70 ms in the cluster, and people read no faster


@dataclass(frozen=True)
class Event:
    """Something that changed: a kind, one sentence, and the figures for scripts."""

    kind: str  # release, step, weight, gate, message, away, back, verdict
    text: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    state: State
    evidence: tuple[Evidence, ...] = ()
    silent: str = ""  # why Prometheus gave no figures
    away: str = ""  # why the cluster did not answer
    seconds: float = 0.0
    gateway: State | None = None


class Screen(Protocol):
    def event(self, event: Event) -> None: ...

    def show(self, snapshot: Snapshot) -> None: ...


@dataclass
class Watch:
    cluster: Cluster
    prometheus: Prometheus | None
    screen: Screen
    image: str | None = None  # the engine image that was handed over, when this process did that
    timeout: float | None = None
    pause: float = PAUSE
    clock: Callable[[], float] = time.monotonic
    lacking: str = ""  # what a promoted engine still waits for

    def verdict(self) -> State:
        """Wait until the release is promoted and return it; raises Aborted or TimedOut."""
        started, before = self.clock(), None
        while True:
            now = self.look(before, self.clock() - started)
            if now is not None:
                for event in changes(before, now):
                    self.screen.event(event)
                self.screen.show(now)
                if not now.away and self.ended(now.state, now.gateway):
                    return now.state
                before = now
            if self.timeout is not None and self.clock() - started >= self.timeout:
                raise TimedOut(overdue(before, self.timeout, self.lacking))
            time.sleep(self.pause)

    def look(self, before: Snapshot | None, seconds: float) -> Snapshot | None:
        """One reading; when the API server is away, the last one with a note."""
        try:
            state, gateway = self.cluster.state(), self.cluster.gateway.find()
        except Unreachable as error:
            return replace(before, silent="", away=str(error), seconds=seconds) if before else None
        evidence, silent = figures(self.prometheus, judged(state, gateway))
        return Snapshot(state, evidence, silent, "", seconds, gateway)

    def ended(self, state: State, gateway: State | None = None) -> bool:
        """True when promoted; raises Aborted when stopped or replaced."""
        if self.image is not None and self.image not in state.images:
            told = f"replaced by {state.version} before its verdict; watch that one"
            self.screen.event(Event("verdict", told, {"verdict": "aborted"}))
            raise Aborted(told)
        verdict = state.verdict(self.image)
        if spoilt(state, gateway):
            verdict = "aborted"
        if verdict == "waiting" or (verdict == "promoted" and not self.complete()):
            return False
        told = f"{state.version} promoted: all traffic is on it" if verdict == "promoted" else stopped(state, gateway)
        self.screen.event(Event("verdict", told, {"verdict": verdict, "release": state.release}))
        if verdict == "aborted":
            raise Aborted(f"{told}; `sluice explain` says why")
        return True

    def complete(self) -> bool:
        """Whether what stands around the engine is ready too: a promoted engine behind no gateway answers nobody."""
        try:
            lacking = self.cluster.unready()
        except Unreachable as error:
            lacking = str(error)
        if lacking and lacking != self.lacking:
            self.screen.event(Event("message", f"the engine is promoted, but {lacking}"))
        self.lacking = lacking
        return not lacking


def figures(prometheus: Prometheus | None, state: State, past: str = "") -> tuple[tuple[Evidence, ...], str]:
    """The gates' figures, and why there are none."""
    if prometheus is None:
        return (), "no Prometheus named: set rollouts.prometheus in values.yaml or --prometheus"
    try:
        return tuple(prometheus.evidence(state.rollout, state.release, past)), ""
    except Silent as error:
        return (), str(error)


def changes(before: Snapshot | None, now: Snapshot) -> Iterator[Event]:
    """What is new since the last reading, in the order in which it is worth telling."""
    old, new = before.state if before is not None else None, now.state
    if now.away:
        if before is not None and not before.away:
            yield Event("away", f"{now.away}; the release goes on without us")
        return
    if before is not None and before.away:
        yield Event("back", "the cluster answers again")
    if old is None or old.release != new.release:
        yield Event("release", f"watching {new.rollout}: {new.release}", {"release": new.release})
    if new.observed:  # until then the status is that of the spec before
        yield from moves(old if old is not None and old.observed else None, new)
    yield from of_gateway(before.gateway if before else None, now.gateway)
    yield from verdicts(before.evidence if before else (), now.evidence)
    if now.silent and (before is None or before.silent != now.silent):
        yield Event("silent", f"no figures: {now.silent}; the verdict does not need them here")


def of_gateway(old: State | None, new: State | None) -> Iterator[Event]:
    """The gateway's part, while there is something to tell of it."""
    if new is None or not new.observed:
        return
    if new.in_progress and (old is None or not old.observed or old.updated != new.updated):
        told = f"gateway: {new.updated} of {new.replicas} pods are {new.version}; it goes first"
        yield Event("gateway", told, {"pods": new.updated})
    elif old is not None and old.in_progress and not new.in_progress:
        yield Event("gateway", f"gateway: {new.version} {new.verdict()}", {"verdict": new.verdict()})


def moves(old: State | None, new: State) -> Iterator[Event]:
    if old is None or (old.step, old.weight) != (new.step, new.weight):
        yield Event("weight", progress(new), {"weight": new.weight, "step": new.step, "steps": new.steps})
    if new.message and (old is None or old.message != new.message):
        yield Event("message", new.message, {"phase": new.phase})


def verdicts(before: tuple[Evidence, ...], now: tuple[Evidence, ...]) -> Iterator[Event]:
    known = {(one.gate, one.source, one.step): one.verdict for one in before}
    for one in now:
        if one.verdict != known.get((one.gate, one.source, one.step), UNDECIDED):
            yield Event("gate", told(one), {"gate": one.gate, "source": one.source, "step": one.step} | numbers(one))


def numbers(one: Evidence) -> dict[str, Any]:
    return {"n": one.n, "c": one.c, "evidence": one.values, "verdict": one.word}


def told(one: Evidence) -> str:
    return f"gate {one.gate}, {one.source}s at {one.step} %: {one.word}, {one.c} of {one.n} bad{against(one)}"


def against(one: Evidence) -> str:
    return f", e-value {one.against:.3g}" if one.values else ""


def progress(state: State) -> str:
    if not state.observed:
        return "handed over; the rollouts controller has not looked at it yet"
    if not state.stable or (not state.served and state.current == state.stable):
        return "first install: no steps, waiting until its pods are ready"
    if state.current == state.stable:
        return f"{state.version} has all traffic"
    if state.waits:
        return f"{state.version} waits for a person at {state.weight} %: `sluice approve`"
    return f"canary at {state.weight} % (step {min(state.step + 1, state.steps)} of {state.steps})"


def judged(state: State, gateway: State | None) -> State:
    """Whose gates are looked at now: the gateway's, until its part of the release is over."""
    return gateway if gateway and gateway.in_progress and not state.weight else state


def spoilt(state: State, gateway: State | None) -> bool:
    """Whether this release was stopped with its gateway, and nothing of its engine runs or will."""
    return gateway is not None and gateway.verdict() == "aborted" and not state.in_progress


def stopped(state: State, gateway: State | None = None) -> str:
    if failed := next((one for one in (state, gateway) if one is not None and one.stillborn), None):
        return f"{failed.version} never served, and no version before it is there: {failed.rollout}: {failed.message}"
    if gateway is not None and spoilt(state, gateway):
        why = gateway.reason or gateway.message or "no reason given"
        return f"{gateway.version} stopped with its gateway, and the engine's release did not begin: {why}"
    why = state.reason or state.message or "no reason given"
    return f"{state.version} stopped, all traffic is on stable: {why}"


def overdue(last: Snapshot | None, seconds: float, lacking: str = "") -> str:
    if lacking:
        where = f"the engine is promoted, but {lacking}"
    elif last is None:
        where = "the cluster did not answer"
    elif not last.state.observed:
        where = "the rollouts controller has not looked at it; is it running?"
    else:
        where = last.state.message or progress(last.state)
    return f"no verdict after {seconds:.0f} s ({where}); the cluster goes on, `sluice watch` picks it up again"
