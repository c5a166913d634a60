import asyncio
from types import SimpleNamespace

import pytest

from app.cycle import Client, Cycle


def cycle(method: str = "GET") -> tuple[Cycle, list[bytes]]:
    """One that writes into a list."""
    written: list[bytes] = []
    made = Cycle.__new__(Cycle)
    made.scope, made.default_headers, made.keep_alive = {"method": method}, [], True  # type: ignore[typeddict-item]
    made.flow, made.transport = SimpleNamespace(write_paused=False), SimpleNamespace(write=written.append)  # type: ignore[assignment]
    made.disconnected = made.response_started = made.response_complete = False
    made.chunked_encoding, made.expected_content_length = None, 0
    made.message_event, made.on_response = asyncio.Event(), lambda: None
    return made, written


async def sent(made: Cycle, *headers: tuple[bytes, bytes], bodies: tuple[bytes, ...] = ()) -> None:
    await made.send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    for number, one in enumerate(bodies, 1):
        await made.send({"type": "http.response.body", "body": one, "more_body": number < len(bodies)})


async def test_head_and_first_bytes_are_one_write() -> None:
    made, written = cycle()
    await sent(made, (b"x-a", b"b"), bodies=(b"one", b"two", b""))

    head = b"HTTP/1.1 200 OK\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n"
    assert written == [head + b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize("value", [b"a\r\nx-b: c", b"a\nx-b: c", b"a\rb"])
async def test_no_header_can_bring_another_one_with_it(value: bytes) -> None:
    made, written = cycle()
    with pytest.raises(RuntimeError, match="end of a line"):
        await sent(made, (b"x-a", value), bodies=(b"",))

    assert written == []


@pytest.mark.parametrize("bodies", [(b"four",), (b"",), (b"on", b"ee")])
async def test_an_answer_of_another_length_than_it_says_is_a_fault_of_ours(bodies: tuple[bytes, ...]) -> None:
    made, _ = cycle()
    with pytest.raises(RuntimeError, match="length"):
        await sent(made, (b"content-length", b"3"), bodies=bodies)


def test_who_watches_a_client_that_has_gone_is_told_at_once() -> None:
    client, told = Client(), list[str]()
    client.watch(lambda: told.append("went"))
    client.go()
    client.watch(lambda: told.append("was gone"))

    assert told == ["went", "was gone"]
