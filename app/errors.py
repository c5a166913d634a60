"""Errors as OpenAI's API words them, for refusals of our own and faults of the engine alike.

ApiError              an answer with a status, a type and a code
├── Refusal           4xx: the client's own doing, the engine never saw it
└── EngineFault       5xx: the attempt failed, `outcome` says how
"""

import json
from typing import Any


class ApiError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def document(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}

    @property
    def event(self) -> bytes:
        """The error as an event of a stream whose headers have gone out already."""
        return b"data: " + json.dumps(self.document).encode() + b"\n\n"


class Refusal(ApiError):
    outcome = "client_4xx"


class Busy(Refusal):
    outcome = "rejected"


class EngineFault(ApiError):
    """The engine failed; `outcome` is one of the bad ones of outcome.py."""

    def __init__(self, outcome: str, message: str) -> None:
        status = 504 if outcome.startswith("timeout") else 502
        super().__init__(status, outcome, message)
        self.outcome = outcome
