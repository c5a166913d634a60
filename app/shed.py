"""A refusal for want of a place, from a request's first bytes: before it is parsed, routed or a task of its own.

Of a crowd most are refused, and the usual way costs more than twice as much. Only what is certainly one whole ordinary
generation is answered here, with the usual way's words, counts and line in the log; all else goes that way.
"""

import re
import time
from collections.abc import Collection
from functools import lru_cache

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app import call
from app.admission import refused
from app.children import KnownCounter
from app.errors import shaped
from app.gateway import running, unplaced
from app.journal import Entry, Journal
from app.keys import Key

MAX_HEADERS = 100  # of one request
LINES = re.compile(rb"(?:[A-Za-z0-9_-]+:[ -~]*\r\n)+")
OTHER_WAYS = frozenset((b"transfer-encoding", b"x-sluice-probe"))


class Shed:
    """Of one application, for POSTs to these paths."""

    def __init__(self, app: FastAPI, paths: Collection[str], requests: KnownCounter, journal: Journal) -> None:
        self.app, self.requests, self.journal = app, requests, journal
        self.paths = {path.encode(): path for path in paths}

    def due(self, key: Key | None, before: int) -> bool:
        """Whether a request will be refused, with so many of its key's before it."""
        gateway = running(self.app)
        return bool(gateway and gateway.slots.full(key, before))

    def given(self, data: bytes, key: Key | None, before: int, began: float, own: bytes) -> bytes | None:
        """The refusal, counted, with the lines that the server says of itself; None when it is not due, or not here."""
        gateway = running(self.app)
        busy = gateway.slots.refusal(key, before) if gateway else None
        path = self.paths.get(data[len(b"POST ") :].partition(b" ")[0])
        found = fields(data) if busy and path else None
        if not gateway or not busy or not path or not found or (gateway.keys.path and not key):
            return None
        entry = Entry(method="POST", path=path, code=busy.code, key=key.name if key else "", status=busy.status)
        entry.id = call.identity(found.get(b"x-request-id", b"").decode(), gateway.ids.new)
        entry.trace = gateway.traces.begin(found.get(b"traceparent", b"").decode())
        entry.began, entry.seconds, entry.ended = began, time.perf_counter() - began, time.time()
        refused(gateway, entry.source, busy)
        self.requests.of[entry.method, path, str(busy.status)].inc()
        self.journal.add(entry)
        more = tuple((busy.headers | unplaced(self.app)).items())
        first, last = written(busy.status, busy.code, busy.message, more)
        return b"".join((first, own, b"x-request-id: ", entry.id.encode(), b"\r\n", last))


@lru_cache(maxsize=64)
def written(status: int, code: str, message: str, headers: tuple[tuple[str, str], ...]) -> tuple[bytes, bytes]:
    """What comes before and behind the lines that are each answer's own."""
    answer = JSONResponse(shaped(status, code, message, None), status, dict(headers))
    lines = b"".join(b"%b: %b\r\n" % pair for pair in answer.raw_headers)
    return STATUS_LINE[status], lines + b"\r\n" + bytes(answer.body)


def fields(data: bytes) -> dict[bytes, bytes] | None:
    """The headers of one whole request, by their names in small letters; None for what may be something else."""
    head, _, body = data.partition(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    rest += b"\r\n"
    if not line.startswith(b"POST /") or not line.endswith(b" HTTP/1.1") or not LINES.fullmatch(rest):
        return None
    lines = rest.splitlines()
    found = {name.lower(): value.strip() for name, _, value in (one.partition(b":") for one in lines)}
    stays = found.get(b"connection", b"keep-alive").lower() == b"keep-alive"
    known = len(found) == len(lines) <= MAX_HEADERS and OTHER_WAYS.isdisjoint(found)
    return found if known and stays and found.get(b"content-length") == b"%d" % len(body) else None
