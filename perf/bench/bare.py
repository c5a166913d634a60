"""The two halves of a gateway with nothing in them, on the same libraries: what they do sets the bound.

`app` is the bare ASGI half, for uvicorn; `python -m perf.bench.bare URL SECONDS CLIENTS` is the bare client half and
prints as JSON how many requests per second it made, and the CPU milliseconds of each.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
import uvloop

from perf.bench.client import body

ANSWER = b'{"id":"0","object":"chat.completion","choices":[{"index":0,"message":{"content":"one two three four"}}]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


async def loaded(url: str, seconds: float, clients: int) -> dict[str, float]:
    sent, until, asked = 0, time.perf_counter() + seconds, body(stream=False)
    before = time.process_time()

    async def ask(session: aiohttp.ClientSession) -> None:
        nonlocal sent
        while time.perf_counter() < until:
            async with session.post(url, data=asked, headers={"content-type": "application/json"}) as reply:
                await reply.read()
            sent += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(ask(session) for _ in range(clients)))
    return {"rps": sent / seconds, "cpu_ms": 1000 * (time.process_time() - before) / sent}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(loaded(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))))  # noqa: T201
