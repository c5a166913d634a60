import pytest

from app import fault, sse
from app.errors import ApiError
from app.lost import Garbled, HungUp, Lost, Unreachable

CONTENT = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'


def stream(heard: bytes = b"") -> sse.Stream:
    one = sse.Stream(False)
    one.feed(heard)
    return one


def said(error: ApiError) -> tuple[int, str, str]:
    return error.status, error.code, error.outcome


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unreachable("no"), (502, "connect_error", "connect_error")),
        (Garbled("no"), (502, "stream_error", "stream_error")),
        (HungUp("no"), (502, "stream_truncated", "stream_truncated")),
        (TimeoutError(), (504, "timeout_ttft", "timeout_ttft")),
    ],
)
def test_what_did_not_begin_is_the_engines_fault(error: Exception, expected: tuple[int, str, str]) -> None:
    assert said(fault.unbegun(error, 1)) == expected


def test_a_stream_that_stops_is_the_engines_fault() -> None:
    assert said(fault.broken(Lost("no"), 1, stream(CONTENT))) == (502, "stream_truncated", "stream_truncated")
    assert said(fault.broken(TimeoutError(), 1, stream(CONTENT))) == (504, "timeout_idle", "timeout_idle")
    assert said(fault.broken(TimeoutError(), 1, stream())) == (504, "timeout_ttft", "timeout_ttft")


def test_when_all_the_time_is_over_it_counts_how_long_the_client_did_not_read() -> None:
    assert fault.overdue(60, 600, stream(CONTENT)).outcome == "client_cancel"
    assert fault.overdue(59, 600, stream(CONTENT)).outcome == "timeout_idle"
    assert fault.overdue(0, 600, stream()).outcome == "timeout_ttft"
