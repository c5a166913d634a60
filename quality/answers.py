"""Ask an OpenAI-compatible server and say in one word how it went, streamed or not, as a client sees it.

The words are those of the gateway's `outcome` label; what only the gateway can know comes in its headers.
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

MAX_ANSWER = 2**20  # bytes of a whole answer that are read


@dataclass
class Answer:
    outcome: str = "ok"
    status: int | None = None
    text: str = ""
    code: str = ""  # of the error, if the answer is one
    headers: Mapping[str, str] = field(default_factory=dict)
    first: float | None = None  # unix seconds of the first content
    waited: float | None = None  # seconds until the headers came
    finish: str = ""  # why the engine stopped: stop, length, …
    done: bool = False  # the stream's [DONE] came, or the answer was whole

    def context(self) -> dict[str, Any]:
        names = {"request_id": "x-request-id", "version": "x-sluice-version", "step": "x-sluice-step"}
        return {"status": self.status} | {key: self.headers.get(name) for key, name in names.items()}


async def asked(session: aiohttp.ClientSession, url: str, body: dict[str, Any], headers: dict[str, str]) -> Answer:
    """Never raises for what the other side does: it is the outcome."""
    answer, began = Answer(), time.perf_counter()
    try:
        async with session.post(url, json=body, headers=headers) as reply:
            answer.status, answer.headers, answer.waited = reply.status, reply.headers, time.perf_counter() - began
            await taken(reply, answer, stream=bool(body.get("stream")))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        answer.outcome = "connect_error"
    except TimeoutError:
        answer.outcome = "timeout_idle" if answer.first else "timeout_ttft"
    except (aiohttp.ClientError, ConnectionError, ValueError, LookupError, TypeError, AttributeError):
        answer.outcome = "connect_error" if answer.status is None else "stream_truncated"
    return answer


async def taken(reply: aiohttp.ClientResponse, answer: Answer, *, stream: bool) -> None:
    if reply.status != 200:
        answer.code = error_code(await reply.content.read(MAX_ANSWER))
        answer.outcome = reply.headers.get("x-sluice-outcome") or refused(reply.status)
    elif stream:
        async for event in events(reply):
            take_event(event, answer)
        if answer.outcome == "ok" and not answer.done:
            answer.outcome = "stream_truncated"
    else:
        whole = json.loads(await reply.read())
        take_choices({"choices": whole["choices"]}, answer)
        answer.done = True


def refused(status: int) -> str:
    if status >= 500:
        return "upstream_5xx"
    return "rejected" if status == 429 else "client_4xx"


def error_code(body: bytes) -> str:
    """The `code` of an OpenAI-shaped error, empty for anything else."""
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return ""


async def events(reply: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for line in reply.content:
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:").strip()


def take_event(event: bytes, answer: Answer) -> None:
    if event == b"[DONE]":
        answer.done = True
        return
    frame = json.loads(event)
    if "error" in frame:
        answer.outcome = "stream_error"
        return
    take_choices(frame, answer)


def take_choices(frame: dict[str, Any], answer: Answer) -> None:
    for choice in frame.get("choices") or []:
        said = choice.get("delta") or choice.get("message") or choice
        text = said.get("content") or said.get("text") or ""
        if text and answer.first is None:
            answer.first = time.time()
        answer.text += text
        answer.finish = choice.get("finish_reason") or answer.finish
        if answer.finish == "abort":
            answer.outcome = "engine_abort"
