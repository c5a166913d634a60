"""HTTP/1.1 as uvicorn speaks it, for clients that mean harm: what never ends, or never reads, is cut off.

Whoever is refused can read why, also one who sends all of a body first: until then the connection stays, within bounds.
"""

import asyncio
import json
import random
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.cycle import CLIENT, Cycle, Parting
from app.errors import Refusal
from app.queued import Queued
from app.reading import Reading
from app.rest import nothing
from app.shed import MAX_HEADERS

MAX_HEAD_BYTES = 32 * 1024
# for a last request, which is lost on a connection that closes in the same moment: longer than clients keep idle ones
# (httpx 5 s, aiohttp 15 s), shorter than SLUICE_DRAIN_SECONDS, and not all at once
LAST_SECONDS = 16.0, 25.0
DROPPED_BYTES, DROP_SECONDS = 32 * 1024 * 1024, 5.0  # of what is sent on after its answer: no more is read, nor longer


class Protocol(Queued):
    """`head_seconds` to send a request's head, `send_seconds` to read what was sent to it."""

    head_seconds, send_seconds = 10.0, 30.0
    said: Callable[[], dict[str, str]] = staticmethod(dict)  # headers of what is refused before it is a request

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.head_bytes: int | None = 0  # of the head that is being read, but for this piece; None while there is none
        self.piece = 0  # bytes of what is read now
        self.head_timer: asyncio.TimerHandle | None = None
        self.send_timer: asyncio.TimerHandle | None = None
        self.dropped = 0  # bytes of it
        self.refusal = Refusal(400, "invalid_http", "this is not an HTTP/1.1 request")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.parting = Parting(transport, self.part)
        self.flow = Reading(transport)
        self.rest.begin()  # uvicorn waits for ever for the first request of a connection
        self.loop.call_soon(self.lobby.enter, self.flow)  # not yet: the loop begins to read behind this

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self.head_timer, self.send_timer, self.drop_timer):
            if timer:
                timer.cancel()
        super().connection_lost(exc)
        self.lobby.leave(self.flow)
        if self.turns.room():
            self.other.go()
        else:  # many may go at once, and what ends with them is work too
            self.turns.wait(self.other.key, self.other.go)
        self.forget()

    def forget(self) -> None:
        """Refer to nothing that refers to us: only a search for garbage would find that, and it stops everybody."""
        self.rest.done()
        self.parting.close = nothing
        self.pipeline.clear()
        self.cycle = None  # type: ignore[assignment]

    def read(self, data: bytes) -> None:
        if self.drop_timer:
            self.dropped += len(data)
            if self.dropped > DROPPED_BYTES:
                self.transport.close()
        if self.parted:
            return
        self.piece = len(data)
        super().read(data)
        if self.head_bytes is None:
            return
        self.head_bytes += len(data)
        self.head_timer = self.head_timer or self.loop.call_later(self.head_seconds, self.late)
        if self.head_bytes > MAX_HEAD_BYTES:
            self.refuse(self.too_large())

    def _unset_keepalive_if_required(self) -> None:
        self.rest.end()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_bytes, self.other.sent = 0, False
        self.scope[CLIENT] = self.other  # type: ignore[literal-required]

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= MAX_HEADERS:  # the others are not even read
            raise self.too_large()
        super().on_header(name, value)

    def too_large(self) -> Refusal:
        self.refusal = Refusal(431, "head_too_large", "the headers are too many or too long: send less")
        return self.refusal

    def on_headers_complete(self) -> None:
        """As uvicorn does it, but for its websockets, its limits and its prefix of paths."""
        if self.head_timer:
            self.head_timer.cancel()
        came, self.head_bytes, self.head_timer = (self.head_bytes or 0) + self.piece, None, None
        if came > MAX_HEAD_BYTES and len(self.url) + sum(map(len, chain.from_iterable(self.headers))) > MAX_HEAD_BYTES:
            raise self.too_large()
        parser, scope, url = self.parser, self.scope, httptools.parse_url(self.url)
        version, path = parser.get_http_version(), url.path.decode("ascii")
        scope["method"], scope["http_version"] = parser.get_method().decode("ascii"), version
        scope["path"], scope["raw_path"] = (unquote(path) if "%" in path else path), url.path
        scope["query_string"] = url.query or b""
        sooner, self.cycle = self.cycle, self.made(version != "1.0" and not self.going and parser.should_keep_alive())
        if sooner is None or sooner.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:  # it was sent before that one was answered
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def made(self, keep_alive: bool) -> Cycle:
        return Cycle(
            self.scope,
            self.parting,  # type: ignore[arg-type]
            self.flow,
            self.logger,
            self.access_logger,
            self.access_log,
            self.server_state.default_headers,
            asyncio.Event(),
            self.expect_100_continue,
            keep_alive,
            self.on_response_complete,
        )

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.other.sent = True
        if self.drop_timer:  # it has all been sent: the connection serves another request
            self.drop_timer.cancel()
            self.drop_timer = None

    def on_response_complete(self) -> None:
        """As uvicorn does it, but for its timers."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            else:
                self.rest.begin()
        if self.cycle.response_complete and self.cycle.more_body:
            self.drop()

    def shutdown(self) -> None:
        """The gateway drains: who asks once more is answered, and told that it was the last time."""
        self.going = True
        if self.cycle and not self.cycle.response_started:
            self.cycle.keep_alive = False
        elif not self.waiting:  # an answer that has begun without saying so leaves the connection to one more request
            self.rest.shorten(random.uniform(*LAST_SECONDS))  # noqa: S311 - nobody gains by knowing it

    def part(self) -> None:
        """Close; but let a client that still sends do so: a closed connection is reset, and its answer lost."""
        if self.cycle.more_body:
            self.leave()
        else:
            self.transport.close()

    def leave(self) -> None:
        """Say that nothing follows, and close when the client does, or when it has sent too much or for too long."""
        if not self.parted and not self.transport.is_closing():
            self.parted = True
            self.transport.write_eof()
            self.drop()

    def drop(self) -> None:
        if self.drop_timer is None:
            self.dropped = 0
            self.drop_timer = self.loop.call_later(DROP_SECONDS, self.transport.close)
            self.flow.resume_reading()

    def late(self) -> None:
        self.refuse(Refusal(408, "head_too_slow", f"the headers were not there within {self.head_seconds:g} s"))

    def refuse(self, refusal: Refusal) -> None:
        if not self.parted and not self.transport.is_closing():
            self.refusal = refusal
            self.send_400_response(refusal.message)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's way to refuse what is no request yet, in OpenAI's shape."""
        content = json.dumps(self.refusal.document).encode()
        head = STATUS_LINE[HTTPStatus(self.refusal.status)] + b"content-type: application/json\r\n"
        head += b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in self.said().items())
        length = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(content)
        self.transport.write(head + length + content)
        self.leave()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.send_timer = self.loop.call_later(self.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self.send_timer:
            self.send_timer.cancel()
        super().resume_writing()
