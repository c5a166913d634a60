from collections.abc import Callable
from typing import Any, cast

import pytest

from app.rest import Rest

SECONDS = 75.0


class Clock:
    """A loop whose time goes by when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, work: Callable[[], None]) -> "Clock":
        self.timers.append((self.now + seconds, work))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def until(self, now: float) -> None:
        while due := [one for one in self.timers if one[0] <= now]:
            self.timers.remove(due[0])
            self.now = due[0][0]
            due[0][1]()
        self.now = now


Made = tuple[Rest, Clock, list[float]]


@pytest.fixture
def made() -> Made:
    """A rest that has begun, its clock, and when it was over."""
    clock, over = Clock(), list[float]()
    rest = Rest(cast(Any, clock), SECONDS, lambda: over.append(clock.now))
    rest.begin()
    return rest, clock, over


def test_a_connection_that_nobody_uses_is_given_up(made: Made) -> None:
    _, clock, over = made
    clock.until(10 * SECONDS)

    assert over == [SECONDS]


def test_one_that_is_used_has_all_its_time_again_after_each_answer_and_one_timer(made: Made) -> None:
    rest, clock, over = made
    for asked, answered in ((70, 71), (140, 142), (200, 900)):
        clock.until(asked)
        rest.end()
        clock.until(answered)
        rest.begin()
    clock.until(900 + SECONDS - 1)
    assert over == []
    assert len(clock.timers) == 1
    clock.until(2000)

    assert over == [900 + SECONDS]


def test_one_that_is_gone_leaves_no_timer(made: Made) -> None:
    rest, clock, _ = made
    rest.cancel()

    assert clock.timers == []


def test_a_rest_is_cut_short_and_every_later_one(made: Made) -> None:
    rest, clock, over = made
    clock.until(10)
    rest.shorten(2)
    rest.end()
    clock.until(20)
    rest.begin()
    clock.until(100)

    assert over == [22]
