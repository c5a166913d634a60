import asyncio
import json

import aiohttp


async def asked(port: int, **more: object) -> list[str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/v1/chat/completions", json={"model": "m", **more}) as reply,
    ):
        assert reply.status == 200
        return [line for line in (await reply.text()).split("\n\n") if line]


async def test_a_whole_answer_is_one_document(blank: int) -> None:
    (body,) = await asked(blank)

    assert json.loads(body)["usage"]["completion_tokens"] == 4


async def test_a_stream_has_as_many_frames_as_tokens_were_asked_for_then_usage_and_done(blank: int) -> None:
    frames = await asked(blank, stream=True, max_tokens=5)

    assert len(frames) == 5 + 2
    assert json.loads(frames[-2].removeprefix("data: "))["usage"]["completion_tokens"] == 5
    assert frames[-1] == "data: [DONE]"


async def test_paced_frames_are_the_same_frames(blank: int) -> None:
    assert await asked(blank, stream=True, max_tokens=5, seed=2) == await asked(blank, stream=True, max_tokens=5)


async def test_a_request_may_come_in_pieces_and_the_connection_is_kept(blank: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", blank)
    for _ in range(2):
        for piece in (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-len", b"gth: 4\r\n\r\n{", b'"":'):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    writer.close()
