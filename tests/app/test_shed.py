"""A refusal from a request's first bytes: the same as the usual way's, and only where that could not say otherwise."""

import asyncio
import hashlib
import json
from collections import deque
from pathlib import Path
from typing import Any

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.settings import Settings
from app.shed import MAX_HEADERS, fields

LIMITED, GREEDY = "limited", "greedy"
PATH = "/v1/completions"
EACH = ("x-request-id", "date")  # of each answer its own
UNEQUAL = ("request_id", "timestamp", "latency_seconds")


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    settings.keys_file = tmp_path / "keys.yaml"
    named = [{"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in (LIMITED, GREEDY)]
    named[0]["concurrency"] = 1  # type: ignore[assignment]
    settings.keys_file.write_text(json.dumps({"keys": named}))
    return settings


def asking(key: str = GREEDY, *more: str, path: str = PATH, body: bytes = b'{"prompt": "a"}') -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"authorization: Bearer {key}", f"content-length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Crowd:
    """A gateway whose loop has much to do, as it says itself; whose turn is next we decide."""

    def __init__(self, door: Any) -> None:
        self.turns = door.gateway.pool.turns

    def comes(self) -> None:
        self.turns.waiting = {key: deque([lambda: None]) for key in (LIMITED, GREEDY, "")}
        self.turns.turning = True

    async def refusal(self, number: int = 1) -> None:
        """So many are there."""
        async with asyncio.timeout(20):
            while len(self.turns.refusals) < number:
                await asyncio.sleep(0.01)

    def goes(self) -> None:
        while self.turns.waiting or self.turns.refusals:
            self.turns.turn()


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def of(cls, door: Any) -> "Line":
        return cls(*await asyncio.open_connection("127.0.0.1", int(door.url.rsplit(":", 1)[1])))

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(20):
            status, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = dict(line.lower().split(": ", 1) for line in lines)
            return int(status.split()[1]), headers, await self.reader.readexactly(int(headers["content-length"]))


@pytest.fixture
def crowd(door: Any) -> Crowd:
    return Crowd(door)


def filled(door: Any, code: str) -> str:
    """The gateway has no place, for this reason; the key that hears so."""
    slots = door.gateway.slots
    if code == "overloaded":
        slots.taken = slots.most
    elif code == "unfair":
        slots.taken, slots.held[GREEDY] = slots.most - 1, slots.most - 1
    else:
        slots.held[LIMITED] = 1
    return LIMITED if code == "concurrency_exceeded" else GREEDY


def counted(door: Any) -> dict[str, float]:
    names = ("http_requests_total", "sluice_requests_total", "sluice_started_total")
    return {name: door.count(name) for name in names} | door.outcomes()


async def logged(door: Any, capfd: Any, number: int) -> list[dict[str, Any]]:
    text = ""
    async with asyncio.timeout(20):
        while text.count("\n") < number:
            await asyncio.sleep(0.05)
            text += capfd.readouterr().out
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("code", ["overloaded", "unfair", "concurrency_exceeded"])
async def test_it_is_said_counted_and_logged_as_the_usual_way_does(
    door: Any, crowd: Crowd, capfd: Any, code: str
) -> None:
    line, key = await Line.of(door), filled(door, code)
    trace = "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
    line.writer.write(asking(key, trace))
    usual, once = await line.answer(), counted(door)

    crowd.comes()
    line.writer.write(asking(key, trace))
    await crowd.refusal()
    crowd.goes()
    short, twice = await line.answer(), counted(door)

    assert (usual[0], json.loads(usual[2])["error"]["code"]) == (429, code)
    assert all(usual[1].pop(name) and short[1].pop(name) for name in EACH)
    assert short == usual
    assert twice == {name: 2 * number for name, number in once.items()}
    first, second = await logged(door, capfd, 2)
    assert first["trace_id"] == "0123456789abcdef0123456789abcdef"
    assert first["request_id"] != second["request_id"]
    assert {**first, **dict.fromkeys(UNEQUAL)} == {**second, **dict.fromkeys(UNEQUAL)}


async def test_its_id_is_the_clients_own(door: Any, crowd: Crowd) -> None:
    line = await Line.of(door)
    filled(door, "overloaded")
    crowd.comes()
    line.writer.write(asking(GREEDY, "X-Request-ID: mine"))
    await crowd.refusal()
    crowd.goes()
    assert (await line.answer())[1]["x-request-id"] == "mine"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (asking("nobody's"), 401),
        (asking(GREEDY, "x-sluice-probe: wrong"), 401),
        (asking(path="/predict"), 429),
        (asking(path="/v1/models"), 405),
        (asking(path=PATH + "?a=b"), 429),
        (asking(GREEDY, "connection: close"), 429),
        (asking(GREEDY, "a: b", "a: c"), 429),
        (asking()[:-1], 429),  # its body is refused unread
        (asking(GREEDY, *(f"x-{number}: a" for number in range(MAX_HEADERS))), 431),
        (asking(GREEDY, "x : y"), 400),
    ],
)
async def test_all_else_takes_the_usual_way(door: Any, crowd: Crowd, asked: bytes, status: int) -> None:
    line = await Line.of(door)
    filled(door, "overloaded")
    crowd.comes()
    line.writer.write(asked)
    async with asyncio.timeout(20):
        while not (crowd.turns.refusals or sum(crowd.turns.requests.values())):
            await asyncio.sleep(0.01)
    crowd.turns.most = 0
    crowd.turns.turn()
    assert sum(crowd.turns.requests.values()) == 1
    crowd.goes()
    assert (await line.answer())[0] == status


@pytest.mark.parametrize(("taken", "status"), [(0, 200), (10**6, 429)])
async def test_a_request_that_follows_on_its_connection_is_answered_after_it(
    door: Any, crowd: Crowd, taken: int, status: int
) -> None:
    line = await Line.of(door)
    filled(door, "overloaded")
    crowd.comes()
    line.writer.write(asking(GREEDY, "x-request-id: first"))
    await crowd.refusal()
    line.writer.write(asking(GREEDY, "x-request-id: second"))
    async with asyncio.timeout(20):
        while not crowd.turns.requests[GREEDY]:
            await asyncio.sleep(0.01)
    door.gateway.slots.taken = taken
    (refusal,) = crowd.turns.refusals
    crowd.turns.refusals.clear()
    crowd.goes()
    refusal()  # late: it was said before

    answers = [await line.answer(), await line.answer()]
    assert [(one[0], one[1]["x-request-id"]) for one in answers] == [(status, "first"), (status, "second")]


async def test_who_finds_a_place_after_all_is_answered_in_its_keys_turn(door: Any, crowd: Crowd) -> None:
    line = await Line.of(door)
    filled(door, "overloaded")
    crowd.comes()
    line.writer.write(asking())
    await crowd.refusal()
    door.gateway.slots.taken, crowd.turns.most = 0, 0
    crowd.turns.turn()
    assert crowd.turns.requests[GREEDY] == 1
    crowd.goes()
    assert (await line.answer())[0] == 200


@pytest.mark.parametrize("usual", [True, False])
async def test_a_connection_that_has_been_answered_waits_for_no_new_one(door: Any, crowd: Crowd, usual: bool) -> None:
    known, new = await Line.of(door), await Line.of(door)
    filled(door, "overloaded")
    if not usual:
        crowd.comes()
    known.writer.write(asking())
    if not usual:
        await crowd.refusal()
        crowd.goes()
    assert (await known.answer())[0] == 429

    crowd.comes()
    for number, line in enumerate((new, known), 1):
        line.writer.write(asking())
        await crowd.refusal(number)
    crowd.turns.refusals.popleft()()
    assert (await known.answer())[0] == 429
    crowd.goes()
    assert (await new.answer())[0] == 429


async def test_who_goes_away_meanwhile_is_not_counted_and_who_meets_a_drain_hears_of_it(
    door: Any, crowd: Crowd
) -> None:
    gone, stays = await Line.of(door), await Line.of(door)
    filled(door, "overloaded")
    crowd.comes()
    for number, line in enumerate((gone, stays), 1):
        line.writer.write(asking())
        await crowd.refusal(number)
    for connection in door.server.server_state.connections:
        theirs = connection.transport.get_extra_info("peername")
        if theirs == gone.writer.get_extra_info("sockname"):
            connection.transport.abort()
        else:
            connection.shutdown()
    crowd.goes()

    _, headers, _ = await stays.answer()
    assert headers["connection"] == "close"
    assert door.outcomes() == {"rejected": 1}


class Parsed:
    """What uvicorn's parser makes of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body, self.messages, self.behind = b"", 0, 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip()))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_begin(self) -> None:
        self.behind += 1

    def on_message_complete(self) -> None:
        self.messages += 1


NAMES = ("host", "content-length", "Content-Length", "transfer-encoding", "connection", "x-a", "x a", "x\t", "")
VALUES = ("a", "0", "1", "2", "+1", "01", " 1 ", "chunked", "keep-alive", "close", "a\r\n b", "\x00", "ü", "")
LINES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from((":", ": ", " :")), st.sampled_from(VALUES)))
BODIES = st.sampled_from((b"", b"a", b"ab", b"\r\n\r\n", b"0\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"))
STARTS = [f"{start}/a HTTP/1.{minor}" for start in ("POST ", "GET ", "POST  ", "POST /b ") for minor in "10"]


@example(start=STARTS[0], lines=[], body=b"a", end="\r\n", told=True)
@example(start=STARTS[0], lines=[("transfer-encoding", ":", "chunked")], body=b"0\r\n\r\n", end="\r\n", told=True)
@given(
    start=st.sampled_from(STARTS),
    lines=LINES,
    body=BODIES,
    end=st.sampled_from(("\r\n", "\n", "\r")),
    told=st.booleans(),
)
def test_what_is_read_here_is_one_whole_request_with_the_same_headers_to_the_parser(
    start: str, lines: list[tuple[str, str, str]], body: bytes, end: str, told: bool
) -> None:
    length = [("content-length", ": ", str(len(body)))] if told else []
    head = end.join([start, *("".join(line) for line in [*lines, *length]), "", ""])
    found = fields(head.encode() + body)
    if found is not None and start.count(" ") == 2:
        parsed = Parsed(head.encode() + body)
        assert (parsed.messages, parsed.behind, parsed.body) == (1, 1, body)
        assert parsed.headers == list(found.items())
        assert parsed.parser.should_keep_alive()


def test_most_requests_are_read_here() -> None:
    assert fields(asking(GREEDY, "Connection: keep-alive", "user-agent: OpenAI/Python 1.0 (x; y)"))
