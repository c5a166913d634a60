"""A client that costs next to nothing: one connection, one request at a time, every frame's time kept."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httptools

MODEL = "bench"
PATH = "/v1/chat/completions"
HEAD = f"POST {PATH} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n".encode()
FRAME_END = b"\n\n"
ENDING = 2  # frames of a stream behind those with words: its usage, and that it is done


def body(*, stream: bool, frames: int = 16, pause_ms: int = 0, model: str = MODEL, text: str = "hello") -> bytes:
    asked: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    asked |= {"max_tokens": frames, "seed": pause_ms, "temperature": 0}
    if stream:
        asked |= {"stream_options": {"include_usage": True}, "ignore_eos": True}
    return json.dumps(asked).encode()


@dataclass
class Answer:
    """Seconds of the performance counter; `frames` are those with an own time of arrival."""

    began: float
    ended: float = 0.0
    status: int = 0
    frames: int = 0
    times: list[float] = field(default_factory=list)
    tail: bytes = b""

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def ttft(self) -> float:
        return self.times[0] - self.began

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


class Link(asyncio.Protocol):
    """A kept connection to one server."""

    def __init__(self) -> None:
        self.waiting: asyncio.Future[Answer] | None = None
        self.head = HEAD

    def authorize(self, key: str) -> None:
        self.head = HEAD + f"authorization: Bearer {key}\r\n".encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionResetError("the server closed the connection"))

    async def ask(self, content: bytes) -> Answer:
        """Send it and return the answer, whole.

        Raises:
            OSError: the connection ended first.
        """
        self.answer = Answer(time.perf_counter())
        if self.transport.is_closing():  # nobody would say so again
            raise ConnectionResetError("the connection has ended")
        self.parser: Any = httptools.HttpResponseParser(self)
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(self.head + b"content-length: %d\r\n\r\n" % len(content) + content)
        return await self.waiting

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        answer, joined = self.answer, self.answer.tail + data  # a frame's end may come in two reads
        if found := joined.count(FRAME_END):
            answer.frames += found
            answer.times.append(time.perf_counter())
        answer.tail = data[-1:] if not data.endswith(FRAME_END) else b""

    def on_message_complete(self) -> None:
        self.answer.ended, self.answer.status = time.perf_counter(), self.parser.get_status_code()
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(self.answer)

    def close(self) -> None:
        self.transport.close()


async def opened(port: int, number: int) -> list[Link]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Link, "127.0.0.1", port) for _ in range(number)]
    return [link for _, link in made]


def closed(links: Sequence[Link]) -> None:
    for link in links:
        link.close()


async def sequential(port: int, content: bytes, number: int) -> list[Answer]:
    """One client, one request after the other."""
    (link,) = await opened(port, 1)
    try:
        return [await link.ask(content) for _ in range(number)]
    finally:
        link.close()


async def loaded(port: int, content: bytes, clients: int, seconds: float) -> list[Answer]:
    """Clients that each ask again as soon as they are answered."""
    links, until, found = await opened(port, clients), time.perf_counter() + seconds, []

    async def ask(link: Link) -> None:
        while time.perf_counter() < until:
            found.append(await link.ask(content))

    try:
        await asyncio.gather(*(ask(link) for link in links))
        return found
    finally:
        closed(links)


async def streams(port: int, content: bytes, number: int) -> list[Answer]:
    """So many streams at once, each asked for once; one whose connection ended first has no status."""
    links = await opened(port, number)

    async def ask(link: Link) -> Answer:
        try:
            return await link.ask(content)
        except OSError:
            return link.answer

    try:
        return list(await asyncio.gather(*(ask(link) for link in links)))
    finally:
        closed(links)
