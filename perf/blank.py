"""A server that costs next to nothing: it answers at once with bytes made before, so that what is left is the tool.

`python -m perf.blank PORT` streams when asked to. `max_tokens` says how many frames an answer has, and `seed`, which a
gateway passes on, how many milliseconds lie between them: then each frame is a write of its own. `GET /seen` says how
many requests had the word `abuse` in them, and how many streams are open.
"""

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from typing import Any, cast

import httptools
import uvloop

from perf import cpu

FRAMES = 16
CHUNK = {"id": "0", "object": "chat.completion.chunk", "created": 0, "model": "blank"}
NUMBER = {name: re.compile(rb'"%s":\s*(\d+)' % name.encode()) for name in ("max_tokens", "seed")}
STREAM = re.compile(rb'"stream":\s*true')


def framed(document: dict[str, Any]) -> bytes:
    return chunked(b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n")


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def word(reason: str | None) -> bytes:
    return framed(CHUNK | {"choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": reason}]})


def usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": 8 + tokens}


def ending(tokens: int) -> bytes:
    return LAST + framed(CHUNK | {"choices": [], "usage": usage(tokens)}) + DONE


def whole() -> bytes:
    message = {"role": "assistant", "content": "one two three four"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    document = CHUNK | {"object": "chat.completion", "choices": [choice], "usage": usage(4)}
    return answered(json.dumps(document).encode())


def answered(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


WORD, LAST = word(None), word("length")
DONE = chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
ANSWER = whole()


def number(name: str, body: bytes, otherwise: int) -> int:
    found = NUMBER[name].search(body)
    return int(found[1]) if found else otherwise


@dataclass
class Seen:
    """Of all connections together."""

    abuse: int = 0
    open: int = 0


class Blank(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, seen: Seen | None = None) -> None:
        self.seen = seen or Seen()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser: Any = httptools.HttpRequestParser(self)
        self.timer: asyncio.TimerHandle | None = None
        self.body, self.frames, self.left, self.pause = b"", 0, 0, 0.0

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None
            self.seen.open -= 1

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        body, self.body = self.body, b""
        if self.url == b"/seen":
            self.transport.write(answered(json.dumps(vars(self.seen)).encode()))
            return
        self.seen.abuse += b"abuse" in body
        if not STREAM.search(body):
            self.transport.write(ANSWER)
            return
        self.frames = self.left = number("max_tokens", body, FRAMES)
        self.pause = number("seed", body, 0) / 1000
        self.due = asyncio.get_running_loop().time()
        self.transport.write(HEAD)
        self.seen.open += 1
        self.step()

    def step(self) -> None:
        """The next frame, and the one after it when it is due: from the start on, so that delays do not add up."""
        while self.left > 1:
            self.left -= 1
            self.transport.write(WORD)
            if self.pause:
                self.due += self.pause
                self.timer = asyncio.get_running_loop().call_at(self.due, self.step)
                return
        self.timer = None
        self.seen.open -= 1
        self.transport.write(ending(self.frames))


async def serve(port: int) -> None:
    seen = Seen()
    server = await asyncio.get_running_loop().create_server(lambda: Blank(seen), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    cpu.unpaused()
    uvloop.run(serve(int(sys.argv[1])))
