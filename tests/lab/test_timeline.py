import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lab.timeline import Moment, Timeline
from release.cluster import State
from release.errors import Unreachable

STATE = State(
    rollout="n/llm-engine",
    version="v1.1.0",
    revision="2",
    images=(),
    phase="Progressing",
    message="",
    abort=False,
    observed=True,
    current="new",
    stable="old",
    weight=0,
    step=0,
    steps=8,
    updated=1,
    reason="",
)


class Scripted:
    """A cluster that says one thing after another, and the last one for ever."""

    def __init__(self, *states: Any) -> None:
        self.states: Iterator[Any] = iter(states)
        self.last: Any = states[0]

    def state(self) -> State:
        self.last = next(self.states, self.last)
        if isinstance(self.last, Exception):
            raise self.last
        return self.last  # type: ignore[no-any-return]


def followed(*states: Any) -> Timeline:
    timeline = Timeline(Scripted(*states))  # type: ignore[arg-type]
    with timeline:
        timeline.wait_verdict("v1.1.0", 3)
    return timeline


def test_only_changes_are_written_down() -> None:
    timeline = followed(STATE, STATE, replace(STATE, weight=5), STATE, replace(STATE, abort=True))

    assert [(one.weight, one.verdict) for one in timeline.of("v1.1.0")] == [
        (0, "waiting"),
        (5, "waiting"),
        (0, "waiting"),
        (0, "aborted"),
    ]


def test_an_api_server_that_is_away_leaves_a_gap_and_no_end() -> None:
    timeline = followed(STATE, Unreachable("away"), replace(STATE, phase="Healthy", current="old", weight=100))

    assert [one.verdict for one in timeline.moments] == ["waiting", "promoted"]


def test_a_status_that_speaks_of_the_release_before_is_left_out() -> None:
    stale = replace(STATE, observed=False, weight=100)

    assert followed(stale, STATE, replace(STATE, abort=True)).moments[0].weight == 0


def test_waiting_for_a_weight_ends_without_it_when_the_release_was_stopped() -> None:
    timeline = Timeline(Scripted(STATE, replace(STATE, abort=True)))  # type: ignore[arg-type]
    with timeline:
        began = time.monotonic()
        assert not timeline.wait_weight("v1.1.0", 25, 30)
        assert time.monotonic() - began < 10


def test_moments_are_the_same_whenever_they_were_seen() -> None:
    assert Moment.of(STATE).same(replace(Moment.of(STATE), at=1.0))
    assert not Moment.of(STATE).same(replace(Moment.of(STATE), weight=1))
