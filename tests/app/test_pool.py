import asyncio
import contextlib
import re
import socket
import ssl
import struct
import subprocess
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from app import pool
from app.lost import HungUp, Unreachable
from app.pool import SPARE, Pool, address

BODY = b'{"choices": [{"text": "a", "finish_reason": "stop"}]}'


@pytest.fixture
async def forgetful() -> AsyncIterator[tuple[str, list[int]]]:
    """An engine that closes each connection when a second request comes on it; and the requests per connection."""
    seen: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(0)
        here = len(seen) - 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
            await reader.readexactly(length)
            seen[here] += 1
            if seen[here] > 1 or seen[0] > 2:
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


async def test_a_connection_that_the_engine_had_closed_is_no_failure(door: Any, canary: Any, forgetful: Any) -> None:
    url, seen = forgetful
    door.gateway.board.show(replace(canary(0), stable=(url,)))
    for _ in range(3):
        assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 200

    assert seen == [2, 2, 1]
    assert door.outcomes() == {"ok": 3}


async def test_a_new_connection_that_the_engine_closes_is_one(door: Any, canary: Any, forgetful: Any) -> None:
    url, seen = forgetful
    seen.append(3)
    door.gateway.board.show(replace(canary(0), stable=(url,)))

    assert (await door.post("/v1/completions", {"prompt": "a"}))[0] == 502
    assert seen == [3, 1]
    assert door.outcomes() == {"stream_truncated": 1}


@pytest.mark.parametrize(("store", "times"), [(None, [2]), (True, [2]), (False, [2, 1])])
async def test_what_the_engine_stores_is_not_sent_again_once_it_was_read(
    door: Any, canary: Any, forgetful: Any, store: bool | None, times: list[int]
) -> None:
    url, seen = forgetful
    door.gateway.board.show(replace(canary(0), stable=(url,)))
    await door.post("/v1/completions", {"prompt": "a"})

    assert (await door.post("/v1/responses", {"input": "a", "store": store}))[0] == 502
    assert seen == times


@dataclass
class Engine:
    """Counts its connections; `more` is a header of its answers; mute it never answers."""

    url: str = ""
    more: bytes = b""
    mute: bool = False
    open: int = 0
    made: int = 0
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made, self.open = self.made + 1, self.open + 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(2)
                if not self.mute:
                    writer.write(b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (self.more, len(BODY), BODY))
        self.open -= 1
        writer.close()


@contextlib.asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Engine]:
    one = Engine()
    async with await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=tls) as server:
        one.url = f"{'https' if tls else 'http'}://localhost:{server.sockets[0].getsockname()[1]}"
        yield one
        server.close()


@pytest.fixture
async def one() -> AsyncIterator[Pool]:
    async with contextlib.aclosing(Pool(connect_seconds=5)) as made:
        yield made


async def asked(one: Pool, url: str, seconds: float = 5) -> bytes:
    reply = await one.post(url, "/v1/completions", "x-request-id: r\xe9\r\n", b"{}", seconds)
    return await reply.read(seconds)


async def gone(engine: Engine) -> None:
    """Returns when no connection is left."""
    async with asyncio.timeout(5):
        while engine.open:
            await asyncio.sleep(0.01)


async def test_a_connection_is_used_again(one: Pool) -> None:
    async with serving() as engine:
        assert [await asked(one, engine.url) for _ in range(3)] == [BODY] * 3
        assert (engine.made, engine.open) == (1, 1)
        assert b"x-request-id: r\xe9\r\n" in engine.heads[0]


async def test_requests_at_once_do_not_wait_for_each_other(one: Pool) -> None:
    async with serving() as engine:
        assert await asyncio.gather(*(asked(one, engine.url) for _ in range(150))) == [BODY] * 150
        assert engine.made == 150


async def test_an_engine_that_closes_after_each_answer_gets_a_new_connection(one: Pool) -> None:
    async with serving() as engine:
        engine.more = b"connection: close\r\n"
        assert [await asked(one, engine.url) for _ in range(2)] == [BODY] * 2
        assert engine.made == 2
        await gone(engine)
        assert not one.lines


async def test_a_connection_that_is_not_used_is_closed(one: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "KEEP_ALIVE_SECONDS", 0.05)
    async with serving() as engine:
        await asked(one, engine.url)
        await gone(engine)
        assert (dict(one.idle), one.lines) == ({}, set())


async def test_nothing_is_sent_on_a_connection_that_was_idle_for_too_long(
    one: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as engine:
        await asked(one, engine.url)
        monkeypatch.setattr(pool, "KEEP_ALIVE_SECONDS", -1)
        await asked(one, engine.url)
        assert engine.made == 2


@pytest.mark.parametrize("late", [True, False])
async def test_who_gives_up_takes_the_request_away_from_the_engine(one: Pool, late: bool) -> None:
    async with serving() as engine:
        engine.mute = True
        work = asyncio.create_task(asked(one, engine.url, 0.1 if late else 5))
        while not engine.heads:
            await asyncio.sleep(0.01)
        if not late:
            work.cancel()
        with pytest.raises(TimeoutError if late else asyncio.CancelledError):
            await work
        await gone(engine)
        assert not one.lines


async def test_a_pool_that_is_closed_leaves_nothing_open() -> None:
    async with serving() as engine:
        async with contextlib.aclosing(Pool(connect_seconds=5)) as made:
            await asked(made, engine.url)
        await gone(engine)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:99999", "http://" + "a" * 70, "http://[::1"])
async def test_where_no_engine_is_none_is_reached(one: Pool, url: str) -> None:
    with pytest.raises(Unreachable):
        await asked(one, url)


async def test_an_engine_that_closes_a_new_connection_without_a_word_is_not_asked_twice(one: Pool) -> None:
    made = 0

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        with pytest.raises(HungUp):
            await asked(one, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert made == 1


@dataclass
class Kept:
    """The engine's end of a connection that the pool keeps, and where the engine listens for another one."""

    pool: Pool
    listening: socket.socket
    line: socket.socket

    def post(self, *, repeatable: bool) -> asyncio.Task[bytes]:
        async def answer() -> bytes:
            reply = await self.pool.post(where(self.listening), "/v1/responses", "", b"{}", 5, repeatable=repeatable)
            return await reply.read(5)

        return asyncio.create_task(answer())


def where(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


async def taken(line: socket.socket) -> None:
    """Read a request to its end."""
    seen = b""
    while not seen.endswith(b"{}"):
        seen += await asyncio.get_running_loop().sock_recv(line, 65536)


async def answering(listening: socket.socket) -> socket.socket:
    loop = asyncio.get_running_loop()
    line, _ = await asyncio.wait_for(loop.sock_accept(listening), 5)
    line.setblocking(False)
    await taken(line)
    await loop.sock_sendall(line, b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY))
    return line


@pytest.fixture
async def kept(one: Pool) -> AsyncIterator[Kept]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        first = asyncio.create_task(asked(one, where(listening)))
        with await answering(listening) as line:
            await first
            yield Kept(one, listening, line)


async def closed_before(kept: Kept) -> None:
    kept.line.close()  # before the loop goes round: neither was the request sent, nor has the pool seen this


async def killed_before_it_read(kept: Kept) -> None:
    async with asyncio.timeout(5):
        while not readable(kept.line):
            await asyncio.sleep(0.01)
    kept.line.close()


def readable(line: socket.socket) -> bool:
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


async def killed_at_work(kept: Kept) -> None:
    await taken(kept.line)
    kept.line.close()


async def reset_at_work(kept: Kept) -> None:
    """As something between us and the engine does that forgets a connection."""
    await taken(kept.line)
    kept.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    kept.line.close()


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize(
    ("goes", "soon", "unread"),
    [
        (closed_before, 0, True),
        (killed_before_it_read, 60, True),
        (killed_at_work, 60, False),
        (reset_at_work, 0, False),
    ],
)
async def test_only_what_the_engine_cannot_have_read_is_sent_again_if_it_must_not_run_twice(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, goes: Any, soon: float, unread: bool, repeatable: bool
) -> None:
    monkeypatch.setattr(pool, "SOON_SECONDS", soon)
    work = kept.post(repeatable=repeatable)
    await goes(kept)
    if unread or repeatable:
        with await answering(kept.listening):
            assert await work == BODY
    else:
        with pytest.raises(HungUp):
            await work
        with pytest.raises(BlockingIOError):
            kept.listening.accept()


async def test_an_address_may_have_a_path_a_user_and_no_port() -> None:
    found = address("https://ann:se%3Acret@engine/base", "/v1/completions")

    assert (found.host, found.port, found.secure) == ("engine", 443, True)
    assert found.head.split(b"\r\n")[:3] == [
        b"POST /base/v1/completions HTTP/1.1",
        b"host: engine",
        b"authorization: Basic YW5uOnNlOmNyZXQ=",
    ]
    assert address("http://[::1]:81", "/v1/completions").host == "::1"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Localhost's, of nobody that anybody trusts; its key stands beside it."""
    key, made = tmp_path / "key", tmp_path / "crt"
    what = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost")
    names = ("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", made)
    subprocess.run(["openssl", "req", "-x509", *what, *names], check=True, capture_output=True)
    return made


async def test_https_is_spoken_with_engines_whose_certificate_is_known_alone(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, certificate.with_name("key"))
    async with serving(tls) as engine:
        async with contextlib.aclosing(Pool(connect_seconds=5)) as stranger:
            with pytest.raises(Unreachable):
                await asked(stranger, engine.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with contextlib.aclosing(Pool(connect_seconds=5)) as friend:
            assert [await asked(friend, engine.url) for _ in range(2)] == [BODY] * 2
        assert len(engine.heads) == 2
        await gone(engine)


async def test_a_crowd_leaves_connections_to_others(one: Pool) -> None:
    async with serving() as engine:
        await asyncio.gather(*(asked(one, engine.url) for _ in range(SPARE + 1)))
        one.turns.waiting = {"crowd": deque([lambda: None])}
        found = [one.kept(engine.url, key) is not None for key in ("crowd", "crowd", *["other"] * (SPARE + 1))]

    assert found == [True, False, *[True] * SPARE, False]
