"""What `Attempt.frames` holds back so that another arm can stand in, wherever an engine's bytes are split."""

import asyncio
import json
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.errors import EngineFault
from app.lost import Lost
from app.relay import Attempt
from app.settings import Settings
from app.whole import CHAT


def frame(document: Any) -> bytes:
    return b"data: " + (document if isinstance(document, bytes) else json.dumps(document).encode()) + b"\n\n"


def delta(content: str, reason: str | None = None) -> bytes:
    return frame({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": reason}]})


ROLE, DONE = delta(""), frame(b"[DONE]")
USAGE = frame({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
SAID = [delta("two "), delta("words")]
LAST = [delta("", "stop"), USAGE, DONE]
FAILURES = {
    "stream_error": [frame({"error": {"message": "no memory"}}), DONE],
    "engine_abort": [delta("", "abort"), DONE],
    "stream_truncated": [],
}
SIZES = some.lists(some.integers(1, 200), max_size=30)
ROLES = some.integers(0, 2)


class Parts:
    """An answer that comes in these parts, and then ends, or is lost."""

    def __init__(self, frames: list[bytes], sizes: list[int], *, lost: bool) -> None:
        self.left, self.sizes, self.lost = b"".join(frames), [*sizes], lost

    async def next(self, seconds: float) -> bytes | None:
        size = self.sizes.pop(0) if self.sizes else len(self.left)
        part, self.left = self.left[:size], self.left[size:]
        if not part and self.lost:
            raise Lost("cut")
        return part or None


def relayed(frames: list[bytes], sizes: list[int], *, patient: bool, lost: bool = False) -> tuple[list[bytes], str]:
    """What went out, piece by piece, and how it ended."""
    exchange, out = Mock(age=0.0), []
    call = Mock(path=CHAT, strip_usage=True, body=b"{}")
    attempt = Attempt(Mock(settings=Settings(), blocked=None), call, Mock(), exchange, "canary", patient=patient)
    reply: Any = Parts(frames, sizes, lost=lost)

    async def run() -> str:
        try:
            async for piece in attempt.frames(reply):
                out.append(piece)
        except EngineFault as fault:
            return fault.outcome
        return str(exchange.end.call_args.args[0])

    return out, asyncio.run(run())


@given(ROLES, SIZES, some.booleans())
def test_a_good_stream_goes_out_whole_and_a_patient_one_begins_with_content(
    roles: int, sizes: list[int], patient: bool
) -> None:
    out, ending = relayed([ROLE] * roles + SAID + LAST, sizes, patient=patient)

    assert b"".join(out) == b"".join([ROLE] * roles + SAID + LAST).replace(USAGE, b"")
    assert ending == "ok"
    assert not patient or SAID[0] in out[0]


@pytest.mark.parametrize("outcome", FAILURES)
@given(roles=ROLES, sizes=SIZES, lost=some.booleans())
def test_of_a_stream_that_fails_before_its_content_a_patient_one_lets_nothing_out(
    outcome: str, roles: int, sizes: list[int], lost: bool
) -> None:
    out, ending = relayed([ROLE] * roles + FAILURES[outcome], sizes, patient=True, lost=lost)

    assert (out, ending) == ([], outcome)


@given(ROLES, some.data(), SIZES, some.booleans())
def test_half_a_frame_is_nothing_that_goes_out(roles: int, data: Any, sizes: list[int], lost: bool) -> None:
    half = SAID[0][: data.draw(some.integers(1, len(SAID[0]) - 2))]
    patient, ending = relayed([ROLE] * roles + [half], sizes, patient=True, lost=lost)
    hasty, _ = relayed([ROLE] * roles + [half], sizes, patient=False, lost=lost)

    assert (patient, ending) == ([], "stream_truncated")
    assert b"".join(hasty) == ROLE * roles


@pytest.mark.parametrize("outcome", FAILURES)
@given(roles=ROLES, sizes=SIZES, lost=some.booleans())
def test_what_fails_after_its_content_has_lost_none_of_it(
    outcome: str, roles: int, sizes: list[int], lost: bool
) -> None:
    out, ending = relayed([ROLE] * roles + SAID + FAILURES[outcome], sizes, patient=True, lost=lost)

    assert ending == outcome
    assert not out or b"".join(out).startswith(b"".join([ROLE] * roles + SAID[:1]))
    assert outcome != "stream_truncated" or b"".join(out) == b"".join([ROLE] * roles + SAID)
