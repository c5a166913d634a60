"""`sluice quality run`: ask an endpoint every case of a golden set, and keep each answer as soon as it is there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import aiohttp

from quality import record
from quality.answers import Answer, asked
from quality.cases import Case, digest
from quality.errors import NoAnswers
from release.errors import Refused

Say = Callable[[str], None]
PATH = "/v1/chat/completions"
ANSWERED = ("ok", "engine_abort")  # outcomes that leave an answer to be scored


@dataclass(frozen=True)
class Endpoint:
    url: str  # such as http://127.0.0.1:8000
    model: str
    sha256: str = ""  # of the model, when it is known
    key: str = ""
    at_once: int = 8
    seconds: float = 60.0  # for one answer


def body(case: Case, model: str) -> dict[str, Any]:
    """Greedy: the same model gives the same answer."""
    messages = [{"role": "user", "content": case.question}]
    return {"model": model, "messages": messages, "max_tokens": case.max_tokens, "temperature": 0}


async def collect(cases: list[Case], endpoint: Endpoint, file: Path, say: Say) -> record.Record:
    """Ask what the file has no answer to yet; NoAnswers when a case gets none, and what came is kept for next time."""
    head = record.Head(digest(cases), endpoint.model, endpoint.sha256)
    fresh = not file.exists()  # noqa: ASYNC240
    found = resumed(file, head)
    left = [case for case in cases if case.id not in found.answers]
    if len(left) < len(cases):
        say(f"{len(cases) - len(left)} of {len(cases)} answers are in {file} already")
    headers = {"authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    timeout = aiohttp.ClientTimeout(total=endpoint.seconds, connect=5)
    file.parent.mkdir(parents=True, exist_ok=True)
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        if left and fresh:
            await one(session, endpoint, left[0])  # an endpoint that is not there leaves no file
            record.begin(file, head)
        with file.open("a", encoding="utf-8") as out:
            await all_of(session, endpoint, left, found, out)
    return found


def resumed(file: Path, head: record.Head) -> record.Record:
    if not file.exists():
        return record.Record(head)
    found = record.load(file)
    if found.head != head:
        raise Refused(f"{file}: holds answers of another model or set: name another --out, or remove it")
    return found


async def all_of(
    session: aiohttp.ClientSession, endpoint: Endpoint, left: list[Case], found: record.Record, out: TextIO
) -> None:
    """With at most so many in flight; the first case without an answer ends it."""
    room = asyncio.Semaphore(endpoint.at_once)

    async def ask(case: Case) -> None:
        async with room:
            said = await one(session, endpoint, case)
        found.answers[case.id] = said
        out.write(record.row(said))
        out.flush()

    try:
        async with asyncio.TaskGroup() as group:
            for case in left:
                group.create_task(ask(case))
    except* NoAnswers as errors:
        raise errors.exceptions[0] from None


async def one(session: aiohttp.ClientSession, endpoint: Endpoint, case: Case) -> record.Said:
    url = endpoint.url.rstrip("/") + PATH
    answer: Answer = await asked(session, url, body(case, endpoint.model), {})
    if answer.outcome not in ANSWERED:
        status = f" with status {answer.status}" if answer.status else f" within {endpoint.seconds:g} s"
        raise NoAnswers(f"{endpoint.url}: {answer.outcome}{status} at {case.id}: is the right server up and well?")
    return said_of(case, answer)


def said_of(case: Case, answer: Answer) -> record.Said:
    return record.Said(case.id, answer.text, answer.outcome, answer.finish)
