"""HTTP/1.1 as uvicorn speaks it, for clients that mean harm: what never ends, or never reads, is cut off."""

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.errors import Refusal

CLIENT = "sluice.client"  # of a scope
MAX_HEADERS = 100
MAX_HEAD_BYTES = 32 * 1024


class Client:
    """Of one connection, in the scope of its requests; asking `receive` whether it is there would take a task each."""

    def __init__(self) -> None:
        self.gone = False
        self.sent = False  # the whole of the request that is being read
        self.leave: Callable[[], None] | None = None  # called when it goes away

    def watch(self, leave: Callable[[], None]) -> None:
        self.leave = leave
        if self.gone:
            leave()

    def go(self) -> None:
        self.gone = True
        if self.leave:
            self.leave()


class Cycle(RequestResponseCycle):
    """One request, whose answer's head goes out with its first bytes: writing costs more than all else here."""

    head = b""

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.begin(message["status"], message["headers"])
        elif not self.response_complete:
            self.write(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} after the answer's end")

    def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started, self.waiting_for_100_continue = True, False
        bare = self.scope["method"] == "HEAD" or status in (204, 304)  # no body follows, whatever is said of one
        lines = [STATUS_LINE[status]]
        for name, value in (*self.default_headers, *headers):
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                self.chunked_encoding = False
                self.expected_content_length = 0 if bare else int(value)
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
        if not self.keep_alive and (b"connection", b"close") not in headers:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and not bare:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        self.head = b"".join(lines) + b"\r\n"
        if self.head.count(b"\n") != len(lines) + 1 or self.head.count(b"\r") != len(lines) + 1:
            raise RuntimeError("a header holds the end of a line")

    def write(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("the answer has not the length that it says")
        self.transport.write(self.head + body)
        self.head = b""
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()


class Protocol(HttpToolsProtocol):
    """`head_seconds` to send a request's head, `send_seconds` to read what was sent to it."""

    head_seconds, send_seconds = 10.0, 30.0
    said: Callable[[], dict[str, str]] = staticmethod(dict)  # headers of what is refused before it is a request

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.other = Client()
        self.head_bytes: int | None = 0  # of the head that is being read; None while there is none
        self.head_timer: asyncio.TimerHandle | None = None
        self.send_timer: asyncio.TimerHandle | None = None
        self.refusal = Refusal(400, "invalid_http", "this is not an HTTP/1.1 request")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # uvicorn waits for ever for the first request of a connection
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self.head_timer, self.send_timer):
            if timer:
                timer.cancel()
        super().connection_lost(exc)
        self.other.go()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.head_bytes is None:
            return
        self.head_bytes += len(data)
        self.head_timer = self.head_timer or self.loop.call_later(self.head_seconds, self.late)
        if self.head_bytes > MAX_HEAD_BYTES:
            self.refuse(431, "head_too_large", "the headers are too many or too long: send less")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head_bytes, self.other.sent = 0, False
        self.scope[CLIENT] = self.other  # type: ignore[literal-required]

    def on_headers_complete(self) -> None:
        if self.head_timer:
            self.head_timer.cancel()
        self.head_bytes = self.head_timer = None
        size = len(self.url) + sum(map(len, chain.from_iterable(self.headers)))
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            self.refusal = Refusal(431, "head_too_large", "the headers are too many or too long: send less")
            raise self.refusal
        super().on_headers_complete()
        self.cycle.__class__ = Cycle  # its task has not begun

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.other.sent = True

    def late(self) -> None:
        self.refuse(408, "head_too_slow", f"the headers were not there within {self.head_seconds:g} s")

    def refuse(self, status: int, code: str, message: str) -> None:
        if not self.transport.is_closing():
            self.refusal = Refusal(status, code, message)
            self.send_400_response(message)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's way to refuse what is no request yet, in OpenAI's shape."""
        content = json.dumps(self.refusal.document).encode()
        head = STATUS_LINE[HTTPStatus(self.refusal.status)] + b"content-type: application/json\r\n"
        head += b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in self.said().items())
        length = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(content)
        self.transport.write(head + length + content)
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.send_timer = self.loop.call_later(self.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self.send_timer:
            self.send_timer.cancel()
        super().resume_writing()
