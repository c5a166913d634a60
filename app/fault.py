"""What is said of an answer that did not come, or not to its end, and who is to blame for it."""

from app import sse
from app.errors import ApiError, EngineFault, Unread
from app.lost import Garbled, Lost, Unreachable

OUTCOMES = {Unreachable: "connect_error", Garbled: "stream_error"}
UNREAD_SHARE = 0.1  # of a request's whole time: a client that waited so long before it read on has used it up itself


def unbegun(error: Exception, limit: float) -> EngineFault:
    """Nothing of it had come, in so many seconds."""
    if isinstance(error, Lost):
        return EngineFault(OUTCOMES.get(type(error), "stream_truncated"), str(error))
    return EngineFault("timeout_ttft", f"no answer within {limit:g} s")


def broken(error: Exception, wait: float, stream: sse.Stream) -> EngineFault:
    """The stream stopped, for so many seconds."""
    if isinstance(error, Lost):
        return EngineFault("stream_truncated", "the engine cut its stream off")
    return EngineFault(idle(stream), f"nothing came for {wait:g} s")


def overdue(unread: float, total: float, stream: sse.Stream) -> ApiError:
    """The time for all of it is over; `unread` seconds of it its client did not read, though there was something."""
    if unread >= UNREAD_SHARE * total:
        return Unread(408, "client_too_slow", "the time for a whole request is over: read the answer faster")
    return EngineFault(idle(stream), "the time for a whole request is over")


def idle(stream: sse.Stream) -> str:
    return "timeout_idle" if stream.content else "timeout_ttft"
