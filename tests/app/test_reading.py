from types import SimpleNamespace
from typing import Any

import pytest

from app.reading import Reading


class Transport(SimpleNamespace):
    """Whether it is read; stopped twice, or begun twice, would be a step too many."""

    reading = True
    closing = False

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        assert not self.closing
        self.reading = True


@pytest.fixture
def transport() -> Any:
    return Transport()


@pytest.mark.parametrize("order", [("hold", "pause_reading"), ("pause_reading", "hold")])
@pytest.mark.parametrize("back", [("release", "resume_reading"), ("resume_reading", "release")])
async def test_a_connection_that_two_have_stopped_is_read_when_both_let_it(
    transport: Transport, order: tuple[str, str], back: tuple[str, str]
) -> None:
    reading = Reading(transport)  # type: ignore[arg-type]
    for step in order:
        getattr(reading, step)()
        assert not transport.reading
    getattr(reading, back[0])()
    assert not transport.reading
    getattr(reading, back[1])()
    assert transport.reading


async def test_one_that_is_closed_meanwhile_is_not_read_again(transport: Transport) -> None:
    reading = Reading(transport)  # type: ignore[arg-type]
    reading.hold()
    transport.closing = True
    reading.release()
    assert not transport.reading
