"""Engines that break HTTP in every way, on bare sockets, and a line that must say how."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app import wire
from app.lost import Garbled, HungUp, Lost
from app.wire import Line, Reply

REQUEST = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = OK + b"content-length: 100\r\n\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


class Transport(asyncio.Transport):
    """One that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed, self.reading = b"", False, True

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def line(free: Callable[[Line], None] = lambda line: None) -> tuple[Line, Transport]:
    made, transport = Line(asyncio.new_event_loop(), free), Transport()
    made.loop.close()
    made.connection_made(transport)
    return made, transport


def fed(answer: bytes, sizes: list[int]) -> tuple[Reply, list[Line]]:
    freed: list[Line] = []
    one, _ = line(freed.append)
    reply, at = one.ask(REQUEST), 0
    for size in [*sizes, len(answer)]:
        if part := answer[at : at + size]:
            one.data_received(part)
        at += size
    return reply, freed


SIZES = some.lists(some.integers(1, 30), max_size=60)
BODIES = some.lists(some.binary(min_size=1, max_size=40), max_size=6)


@given(BODIES, SIZES, some.booleans(), some.booleans())
def test_wherever_an_answer_is_split_the_same_comes_out(
    parts: list[bytes], sizes: list[int], chunked: bool, interim: bool
) -> None:
    whole = b"".join(parts)
    if chunked:
        answer = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        answer = OK + b"content-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(whole) + whole
    reply, freed = fed(b"HTTP/1.1 100 Continue\r\n\r\n" * interim + answer, sizes)

    assert (reply.status, reply.kind, reply.ended, reply.fault) == (200, "text/event-stream", True, None)
    assert b"".join(reply.pieces) == whole
    assert freed == [reply.line]


@given(some.binary(max_size=300), SIZES)
def test_whatever_bytes_come_nothing_breaks_and_no_answer_is_made_up(noise: bytes, sizes: list[int]) -> None:
    reply, freed = fed(b"#" + noise, sizes)

    assert not reply.begun
    assert not freed
    assert isinstance(reply.fault, Garbled)


@given(some.binary(min_size=1, max_size=20), SIZES)
def test_a_cut_answer_is_never_whole(left_out: bytes, sizes: list[int]) -> None:
    answer = CHUNKED + b"5\r\nhello\r\n%x\r\n" % (len(left_out) + 1) + left_out
    reply, freed = fed(answer, sizes)
    reply.line.connection_lost(None)

    assert not reply.ended
    assert isinstance(reply.fault, HungUp)
    assert not freed


def test_an_engine_that_sends_what_nobody_takes_has_to_wait() -> None:
    one, transport = line()
    reply = one.ask(REQUEST)
    one.data_received(CHUNKED + b"%x\r\n" % (2 * wire.MOST_WAITING) + b"x" * (wire.MOST_WAITING + 1))
    assert not transport.reading

    async def take() -> bytes | None:
        one.loop = asyncio.get_running_loop()
        return await reply.next(1)

    assert len(asyncio.run(take()) or b"") == wire.MOST_WAITING + 1
    assert transport.reading


def test_a_head_that_does_not_end_is_cut_off() -> None:
    one, transport = line()
    reply = one.ask(REQUEST)
    one.data_received(OK)
    for number in range(wire.MOST_HEAD // 1000 + 1):
        one.data_received(b"x-%d: " % number + b"y" * 1000 + b"\r\n")

    assert isinstance(reply.fault, Garbled)
    assert transport.closed


def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    one, transport = line()
    one.data_received(OK)

    assert transport.closed


def test_a_second_answer_to_one_request_ends_the_connection() -> None:
    one, transport = line()
    answer = OK + b"content-length: 2\r\n\r\nok"
    reply = one.ask(REQUEST)
    one.data_received(answer + answer)

    assert b"".join(reply.pieces) == b"ok"
    assert transport.closed


@contextlib.asynccontextmanager
async def engine(script: Script) -> AsyncIterator[Line]:
    """A line to an engine that does what a script says with its first connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await script(reader, writer)
        writer.close()

    loop = asyncio.get_running_loop()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport, one = await loop.create_connection(lambda: Line(loop, lambda line: None), "127.0.0.1", port)
        yield one
        transport.abort()


def says(answer: bytes, *, reset: bool = False) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if reset:
            writer.transport.abort()

    return script


@pytest.mark.parametrize(
    ("answer", "fault", "started"),
    [
        (b"", HungUp, False),
        (b"HTTP/1.1 2", HungUp, True),
        (b"nonsense\r\n\r\n", Garbled, True),
        (b"HTTP/1.1 999999 OK\r\n\r\n", Garbled, True),
        (b"HTTP/1.1 101 Switching\r\nupgrade: a\r\nconnection: upgrade\r\n\r\n", Garbled, True),
        (OK + b"x: " + b"y" * wire.MOST_HEAD, Garbled, True),
        (OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", Garbled, True),
    ],
)
async def test_an_answer_that_does_not_begin_is_a_fault(answer: bytes, fault: type[Lost], started: bool) -> None:
    async with engine(says(answer)) as one:
        with pytest.raises(fault) as raised:
            await one.ask(REQUEST).head(5)

    assert raised.value.started is started


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("answer", [LONG + b"half", CHUNKED + b"5\r\nhe", CHUNKED + b"5\r\nhello\r\n"])
async def test_an_answer_that_is_cut_is_a_fault_after_what_came(answer: bytes, reset: bool) -> None:
    async with engine(says(answer, reset=reset)) as one:
        reply = one.ask(REQUEST)
        with pytest.raises(HungUp):
            await reply.read(5)
        assert not reply.ended


async def test_a_broken_chunk_is_a_fault() -> None:
    async with engine(says(CHUNKED + b"5\r\nhello\r\nzz\r\n")) as one:
        reply = await one.ask(REQUEST).head(5)
        assert await reply.next(5) == b"hello"
        with pytest.raises(Garbled):
            await reply.next(5)


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with engine(says(OK + b"\r\nall there is")) as one:
        assert await one.ask(REQUEST).read(5) == b"all there is"


@pytest.mark.parametrize("answer", [b"", CHUNKED, LONG + b"half"])
async def test_an_engine_that_hangs_is_waited_for_no_longer_than_said(answer: bytes) -> None:
    gone = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await reader.read()
        gone.set()

    async with engine(script) as one:
        reply = one.ask(REQUEST)
        with pytest.raises(TimeoutError):
            await reply.read(0.05)
        assert not gone.is_set()
        reply.close()
        async with asyncio.timeout(5):
            await gone.wait()


async def test_bytes_that_trickle_in_do_not_move_the_deadline_of_the_whole() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(LONG)
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with engine(script) as one:
        with pytest.raises(TimeoutError):
            await one.ask(REQUEST).read(0.1)


async def test_a_later_deadline_takes_the_place_of_an_earlier_one() -> None:
    go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(LONG + b"a")
        await go.wait()
        writer.write(b"b" * 99)
        await writer.drain()
        await reader.read()

    async with engine(script) as one:
        reply = one.ask(REQUEST)
        assert await reply.next(0.1) == b"a"
        later = asyncio.create_task(reply.next(5))
        await asyncio.sleep(0.2)  # past the first deadline
        go.set()
        assert await later == b"b" * 99


def test_what_is_left_of_a_connection_goes_without_a_search_for_garbage() -> None:
    made, _ = line()
    left = weakref.ref(made)
    gc.disable()
    try:
        made.connection_lost(None)
        del made

        assert left() is None
    finally:
        gc.enable()
