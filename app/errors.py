"""Errors as OpenAI's API words them, for refusals of our own and faults of the engine alike.

ApiError              an answer with a status, a type and a code; `outcome` is how the request counts
├── Refusal           the client's own doing, or what the gateway has no room for: no engine is to blame
│   ├── Busy          the gateway cannot take it now: come back in `retry_after` seconds
│   └── Unread        the client was slow to read its answer, and had no more time
├── Blocked           the answer held a sensitive word: it was good as the engine's, and is not handed out
└── EngineFault       5xx: the attempt failed, `outcome` says how
    └── Declined      the engine's own 4xx
        └── Overlong  more than the gateway holds of one answer: what was asked for may be to blame, or the engine
"""

import json
from typing import Any

from pydantic import ValidationError

from app.echo import unquoted

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def first_wrong(error: ValidationError) -> tuple[str, str]:
    """Where a document is wrong first, and how; never what stands there."""
    first = error.errors(include_input=False, include_url=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"]


class ApiError(Exception):
    outcome: str

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param

    @property
    def document(self) -> dict[str, Any]:
        return shaped(self.status, self.code, self.message, self.param)

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside its body; a client that is told when comes back by itself."""
        said = {"x-sluice-outcome": self.outcome}
        if self.status in (429, 503):
            said["retry-after"] = "1"
        if self.status in (408, 413):  # more of the body may come: it is not read
            said["connection"] = "close"
        return said

    @property
    def event(self) -> bytes:
        """The error as an event of a stream whose headers have gone out already."""
        return b"data: " + json.dumps(self.document).encode() + b"\n\n"


class Refusal(ApiError):
    outcome = "client_4xx"


class Busy(Refusal):
    outcome = "rejected"

    def __init__(self, status: int, code: str, message: str, retry_after: float = 1) -> None:
        super().__init__(status, code, message)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {**super().headers, "retry-after": str(max(1, round(self.retry_after)))}


class Unread(Refusal):
    outcome = "client_cancel"


class Blocked(ApiError):
    outcome = "ok"  # the engine did its work: what it said is counted by the checks

    def __init__(self) -> None:
        super().__init__(400, "content_filter", "the answer held what this service does not say: it was cut off")

    @property
    def headers(self) -> dict[str, str]:
        return {}


class EngineFault(ApiError):
    """The engine failed; `outcome` is one of the bad ones of outcome.py."""

    def __init__(self, outcome: str, message: str) -> None:
        status = 504 if outcome.startswith("timeout") else 502
        super().__init__(status, outcome, message)
        self.outcome = outcome


class Declined(EngineFault):
    """The engine says that the request is wrong: its own words go to the client, without those of `asked`."""

    def __init__(self, status: int, body: bytes, asked: bytes = b"{}") -> None:
        super().__init__("prompt", f"the engine answered {status}")
        self.status, self.body, self.asked = status, body, asked

    @property
    def document(self) -> dict[str, Any]:
        """The engine's error, brought into OpenAI's shape where it has another."""
        try:
            said = json.loads(self.body)
            error = said.get("error", said)
            message = error.get("message") or error.get("detail") if isinstance(error, dict) else error
        except (AttributeError, RecursionError, ValueError):
            error = message = None
        if not isinstance(message, str):
            return shaped(self.status, "refused_by_engine", self.message, None)
        shape = shaped(self.status, "refused_by_engine", message, None)
        if isinstance(error, dict) and error is not said:
            own = {name: error[name] for name in shape["error"] if name in error}
            shape["error"] |= {"type": "invalid_request_error", "code": None, **own}
        for name, value in shape["error"].items():
            shape["error"][name] = unquoted(value, self.asked) if isinstance(value, str) else value
        return shape


class Overlong(Declined):
    def __init__(self, most: int) -> None:
        super().__init__(400, b"")
        self.code, self.message = "answer_too_large", f"the answer is larger than {most} bytes: ask for less"

    @property
    def document(self) -> dict[str, Any]:
        return shaped(self.status, self.code, self.message, None)


def shaped(status: int, code: str, message: str, param: str | None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
