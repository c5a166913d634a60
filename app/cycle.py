"""One request on a connection, as uvicorn has it, and who sent it."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

CLIENT = "sluice.client"  # of a scope


class Client:
    """Of one connection, in the scope of its requests; asking `receive` whether it is there would take a task each."""

    def __init__(self) -> None:
        self.gone = False
        self.key = ""  # whose requests came last
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
        pairs = (*self.default_headers, *headers)
        lines, said = [STATUS_LINE[status], *[b"%b: %b\r\n" % pair for pair in pairs]], dict(pairs)
        if (length := said.get(b"content-length")) is not None:
            self.chunked_encoding = False
            self.expected_content_length = 0 if bare else int(length)
        closes = said.get(b"connection", b"").lower() == b"close"
        self.keep_alive = self.keep_alive and not closes
        if not self.keep_alive and not closes:
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


class Parting:
    """What a cycle of uvicorn has as its transport: it writes to the real one, and whether that is closed we decide."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, close
