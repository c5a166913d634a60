"""How a request can end."""

OK = "ok"
BAD = (
    "upstream_5xx",
    "connect_error",
    "timeout_ttft",
    "timeout_idle",
    "stream_truncated",
    "stream_error",
    "engine_abort",
)
NOT_JUDGED = ("client_cancel", "rejected", "client_4xx", "prompt", "over_user_cap")
ALL = (OK, *BAD, *NOT_JUDGED)
JUDGED = frozenset((OK, *BAD))
