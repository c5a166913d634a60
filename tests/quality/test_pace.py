import asyncio
import time

import pytest

from quality.pace import beat


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept for, on a clock that only sleeping moves."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + sum(found))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return found


async def test_beats_are_evenly_apart(slept: list[float]) -> None:
    due = 100.0
    for _ in range(3):
        due = await beat(due, 4)

    assert due == 100.75
    assert slept == [0.25, 0.25, 0.25]


async def test_what_was_late_is_not_made_up(slept: list[float]) -> None:
    due = await beat(90.0, 4)
    assert (due, slept) == (100.0, [0.0])
    assert await beat(due, 4) == 100.25
