import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from quality import cases, record
from quality.cases import Case

TOWNS = ["Velan", "Orsk", "Quill", "Pell", "Lorn", "Wick"]
TOWN_NAMES = ["维兰", "奥斯", "羽镇", "佩尔", "洛恩", "灯芯"]
RIVERS = ["Tisk", "Marl", "Kip", "Sorrel", "Lanner", "Bess"]
RIVER_NAMES = ["提斯河", "马尔河", "小跳河", "红叶河", "鹰河", "老贝河"]


@pytest.fixture
def asked() -> list[Case]:
    """72 cases, half of them Chinese."""
    rows = []
    for turn in range(36):
        at, other = turn % 6, (turn + turn // 6) % 6
        for language, town, river in (("en", TOWNS, RIVERS), ("zh", TOWN_NAMES, RIVER_NAMES)):
            answer = (
                f"The river of {town[at]} is the {river[other]}, as all people know."
                if language == "en"
                else f"{town[at]}的河是{river[other]}，大家都知道。"
            )
            rows.append(
                Case(
                    id=f"{language}-{turn}",
                    language=language,
                    tags=("river",),
                    question=f"{turn}: {town[at]}?",
                    references=(answer,),
                    keys=(river[other],),
                )
            )
    return rows


@pytest.fixture
def answered(asked: list[Case]) -> Callable[..., record.Record]:
    """Right answers, but for the first `wrong` of each language, which `spoil` makes."""

    def made(wrong: int = 0, spoil: Callable[[str], str] = lambda text: "nothing at all") -> record.Record:
        left = {"en": wrong, "zh": wrong}
        found = record.Record(record.Head(cases.digest(asked), "sluice-tiny"))
        for case in asked:
            text = case.references[0]
            if left[case.language] > 0:
                left[case.language] -= 1
                text = spoil(text)
            found.answers[case.id] = record.Said(case.id, text)
        return found

    return made


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[record.Record, str], Path]:
    def write(found: record.Record, name: str) -> Path:
        rows = [record.row(found.head), *map(record.row, found.answers.values())]
        (tmp_path / name).write_text("".join(rows), encoding="utf-8")
        return tmp_path / name

    return write


class Server:
    """An endpoint that echoes, hangs or fails; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []
        self.hang_from = self.fail_from = 10**9
        self.url = ""
        self.loop: asyncio.AbstractEventLoop
        self.over: asyncio.Event

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        if len(self.asked) > self.hang_from:
            await asyncio.sleep(30)
        if len(self.asked) > self.fail_from:
            return web.json_response({"error": {"message": "no", "code": "broken"}}, status=500)
        message = {"role": "assistant", "content": body["messages"][0]["content"]}
        return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}]})


@pytest.fixture
def server() -> Iterator[Server]:
    """In a thread of its own, because the commands have their own loops."""
    made, ready = Server(), threading.Event()

    async def answer(request: web.Request) -> web.Response:
        return await made.answer(request)  # also where a test has put another

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        made.loop, made.over = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await made.over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)  # which ends what still hangs
    thread.start()
    assert ready.wait(5)
    yield made
    made.loop.call_soon_threadsafe(made.over.set)
    thread.join(5)
