"""Requests that mean harm, one kind each: sent raw, and answered with how and how soon they were refused."""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from perf.bench import client

KEY = "sk-abuse"
LEAST_SECONDS = 8.0  # of each kind: the others ask 1 600 times meanwhile, and a p99 of fewer is a few requests' luck
TIMES, PAUSE = 40, 0.02
LARGE = 20 * 1000 * 1000
CHUNK = b" " * 65536
HEADERS, HEADER_BYTES = 5000, 64
LORIS, IDLE, IDLE_SECONDS = 50, 500, 3.0
STREAMS, CANCELLED, STREAM_FRAMES, STREAM_MS = 2000, 1000, 20, 200
FREED_SECONDS = 10.0
SLOW, SLOW_BYTES = 150, 1024 * 1024  # bodies that are nearly there: half again as many as find room
LINK_LOCAL = "http://169.254.169.254/latest/meta-data"


@dataclass(frozen=True)
class Reply:
    """`status` is 0 when the connection ended before the answer did; a `slow` one was sent slowly by its client."""

    status: int
    seconds: float
    slow: bool = False


def head(length: int, more: bytes = b"") -> bytes:
    authorization = f"authorization: Bearer {KEY}\r\n".encode()
    return client.HEAD + authorization + more + b"content-length: %d\r\n\r\n" % length


def document(**more: Any) -> bytes:
    said = [{"role": "user", "content": "abuse"}]
    return json.dumps({"model": client.MODEL, "messages": said, "max_tokens": 4} | more).encode()


async def sent(port: int, *pieces: bytes) -> Reply:
    """Over a connection of its own; what is left to send is dropped when the answer is there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.perf_counter()
    sending = asyncio.create_task(written(writer, pieces))
    try:
        status = await status_of(reader)
        return Reply(status, time.perf_counter() - began)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()


async def written(writer: asyncio.StreamWriter, pieces: tuple[bytes, ...]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()


async def status_of(reader: asyncio.StreamReader) -> int:
    with contextlib.suppress(OSError):
        line = await reader.readline()
        if line:
            return int(line.split()[1])
    return 0


async def repeated(port: int, *pieces: bytes, times: int = TIMES) -> list[Reply]:
    found = []
    for _ in range(times):
        found.append(await sent(port, *pieces))
        await asyncio.sleep(PAUSE)
    return found


def asking(**more: Any) -> Callable[[int], Awaitable[list[Reply]]]:
    """A request for far too much."""
    body = document(**more)

    async def ask(port: int) -> list[Reply]:
        return await repeated(port, head(len(body)) + body)

    return ask


async def large(port: int) -> list[Reply]:
    """The size is said at the beginning, and then it is all sent, told or not: half of them do not say it."""
    chunks = (CHUNK,) * (LARGE // len(CHUNK))
    told = await repeated(port, head(LARGE), *chunks, times=TIMES // 2)
    untold = client.HEAD + f"authorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    framed = tuple(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return told + await repeated(port, untold, *framed, times=TIMES // 2)


async def deep(port: int) -> list[Reply]:
    body = b'{"model": "bench", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b', "user": "abuse"}'
    return await repeated(port, head(len(body)) + body)


async def image(port: int) -> list[Reply]:
    part = {"type": "image_url", "image_url": {"url": LINK_LOCAL}}
    body = document(messages=[{"role": "user", "content": [{"type": "text", "text": "abuse"}, part]}])
    return await repeated(port, head(len(body)) + body)


async def headers(port: int) -> list[Reply]:
    """Half have too many, half too long ones."""
    many = b"".join(b"x-%d: abuse\r\n" % number for number in range(HEADERS))
    long = b"x-long: " + b"abuse" * HEADER_BYTES * 1024 + b"\r\n"
    return [one for more in (many, long) for one in await repeated(port, head(2, more) + b"{}", times=TIMES // 2)]


def loris(seconds: float) -> Callable[[int], Awaitable[list[Reply]]]:
    """Heads that never end, a byte at a time."""

    async def one(port: int) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        answer = asyncio.create_task(status_of(reader))
        writer.write(b"POST / HTTP/1.1\r\nx-slow: ")
        while not answer.done() and time.perf_counter() - began < 3 * seconds:
            with contextlib.suppress(OSError):
                writer.write(b"a")
            await asyncio.wait({answer}, timeout=seconds / 10)
        answer.cancel()
        writer.transport.abort()
        status = answer.result() if answer.done() and not answer.cancelled() else 0
        return Reply(status, time.perf_counter() - began, slow=True)

    async def all_of_them(port: int) -> list[Reply]:
        return list(await asyncio.gather(*(one(port) for _ in range(LORIS))))

    return all_of_them


async def slow_bodies(port: int) -> list[Reply]:
    """As large as may be, and their last byte does not come; while they wait, more of them one by one.

    `others.lone` times refusals: this process has all of them to write, and yields to all others.
    """
    request = head(SLOW_BYTES), b" " * (SLOW_BYTES - 1)
    waiting = [asyncio.create_task(sent(port, *request)) for _ in range(SLOW)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    found = await repeated(port, *request) + await asyncio.gather(*waiting)
    return [replace(one, slow=True) for one in found]


async def idle(port: int) -> list[Reply]:
    """Connections that say nothing."""
    links = await client.opened(port, IDLE)
    await asyncio.sleep(IDLE_SECONDS)
    client.closed(links)
    return []


async def streams(port: int) -> list[Reply]:
    """All asked for at once; then half of the clients go away in the same moment."""
    links = await client.opened(port, STREAMS)
    for link in links:
        link.authorize(KEY)
    asked = client.body(stream=True, frames=STREAM_FRAMES, pause_ms=STREAM_MS)
    began = time.perf_counter()
    tasks = [asyncio.create_task(link.ask(asked)) for link in links]
    await asyncio.sleep(STREAM_FRAMES * STREAM_MS / 2000)
    every = STREAMS // CANCELLED  # the first ones are let in: not all of these may go, or nothing would be left
    leaving = range(0, STREAMS, every)[:CANCELLED]
    for index in leaving:
        tasks[index].cancel()
        links[index].transport.abort()
    staying = [tasks[index] for index in sorted(set(range(STREAMS)) - set(leaving))]
    answers = await asyncio.gather(*staying, return_exceptions=True)
    client.closed(links)
    return [reply(one, began) for one in answers]


def reply(answer: client.Answer | BaseException, began: float) -> Reply:
    if isinstance(answer, BaseException):
        return Reply(0, time.perf_counter() - began, slow=True)
    whole = answer.status != 200 or answer.frames == STREAM_FRAMES + client.ENDING
    return Reply(answer.status * whole, answer.seconds, slow=True)  # so many at once: `others.lone` times refusals


async def seen(port: int) -> dict[str, int]:
    """What the fake engine has seen."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /seen HTTP/1.1\r\nhost: x\r\n\r\n")
    told = await reader.readuntil(b"\r\n\r\n")
    length = int(told.lower().partition(b"content-length: ")[2].split()[0])
    found: dict[str, int] = json.loads(await reader.readexactly(length))
    writer.close()
    return found


async def unfreed(port: int) -> int:
    """Streams that the engine still writes, though all of their clients are gone; 0 as soon as there are none."""
    until = time.monotonic() + FREED_SECONDS
    while (left := (await seen(port))["open"]) and time.monotonic() < until:  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.05)
    return left
