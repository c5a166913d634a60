"""A server that costs next to nothing: it answers at once with bytes made before, so that what is left is the tool.

`python -m perf.blank PORT [FRAMES]`: streams when asked to; for one request the headers `x-frames` and `x-pause` (seconds) say how many frames and how far
apart; each frame is a write of its own.
"""

import asyncio
import json
import sys
from typing import Any, cast

import httptools
import uvloop

FRAMES = 16
CHUNK = {"id": "0", "object": "chat.completion.chunk", "created": 0, "model": "blank"}
USAGE = {"prompt_tokens": 8, "completion_tokens": FRAMES, "total_tokens": 8 + FRAMES}
MESSAGE = {"role": "assistant", "content": "one two three four"}


def choice(**delta: Any) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": None}


def framed(document: dict[str, Any]) -> bytes:
    return chunked(b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n")


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


WORD = framed(CHUNK | {"choices": [choice(content="word ")]})
LAST = framed(CHUNK | {"choices": [choice(content="word ") | {"finish_reason": "length"}]})
END = framed(CHUNK | {"choices": [], "usage": USAGE}) + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = json.dumps(
    {
        "id": "0",
        "object": "chat.completion",
        "created": 0,
        "model": "blank",
        "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
        "usage": USAGE,
    }
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE)


class Blank(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, frames: int = FRAMES) -> None:
        self.frames = frames

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.parser: Any = httptools.HttpRequestParser(self)
        self.timer: asyncio.TimerHandle | None = None
        self.fresh()

    def fresh(self) -> None:
        self.stream, self.left, self.pause = False, self.frames, 0.0

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer:
            self.timer.cancel()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name == b"x-frames":
            self.left = int(value)
        elif name == b"x-pause":
            self.pause = float(value)

    def on_body(self, body: bytes) -> None:
        # the text of a prompt could say so too: the bench's own prompts do not
        self.stream = self.stream or b'"stream": true' in body or b'"stream":true' in body

    def on_message_complete(self) -> None:
        if not self.stream:
            self.transport.write(ANSWER)
            return
        self.transport.write(HEAD)
        self.step()

    def step(self) -> None:
        """The next frame, and the one after it when it is due."""
        while self.left > 1:
            self.left -= 1
            self.transport.write(WORD)
            if self.pause:
                self.timer = asyncio.get_running_loop().call_later(self.pause, self.step)
                return
        self.transport.write(LAST)
        self.transport.write(END)
        self.fresh()


async def serve(port: int, frames: int = FRAMES) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Blank(frames), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(*(int(given) for given in sys.argv[1:3])))
