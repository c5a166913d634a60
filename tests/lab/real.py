"""The real vLLM, alone and behind the gateway: `make contract` runs it, for it needs `lab/install engine`."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from app.engines import VLLM
from app.settings import Settings
from model import make, running, serve
from model.running import free_port
from tests.app.collector import collecting
from tests.app.conftest import Door, opened
from tests.lab import contract

COLLECTOR = free_port()
MARKER = "marker-4711-zebra"
MOST = 450  # tokens of an answer, as the engine is started
LONG = {"messages": [{"role": "user", "content": "Tell me everything."}], "max_tokens": 400, "ignore_eos": True}
PHASES = {  # a tiny model's first token is there at once: before it, a fake engine is asked
    "before headers": {**LONG, "stream": False},
    "as it begins": {**LONG, "stream": True},
    "in mid-stream": {**LONG, "stream": True},
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    os.environ |= {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_BSP_SCHEDULE_DELAY": "200"}
    python = running.environment_of(Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice")))
    traces = ("--otlp-traces-endpoint", f"http://127.0.0.1:{COLLECTOR}/v1/traces")
    with running.engine(
        make.TINY, python, tmp_path_factory.mktemp("engine") / "log", *traces, *serve.bounded(MOST)
    ) as url:
        yield url


@pytest.fixture
async def door(engine: str) -> AsyncIterator[Door]:
    model = httpx2.get(engine + "/v1/models").json()["data"][0]["id"]
    settings = Settings(stable_urls=engine, model_name=model, otlp_endpoint=f"http://127.0.0.1:{COLLECTOR}")
    async with opened(settings) as found:
        yield found


async def until(ready: Callable[[], bool], seconds: float) -> bool:
    """In a thread: what asks the engine must not hold up the gateway, which runs in this loop."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if await asyncio.to_thread(ready):
            return True
        await asyncio.sleep(0.02)
    return await asyncio.to_thread(ready)


def under_way(engine: str) -> float:
    """Requests that the engine works on, or has in its queue."""
    lines = httpx2.get(engine + "/metrics").text.splitlines()
    names = [VLLM.metrics["llm:requests_running"], VLLM.metrics["llm:requests_waiting"]]
    return sum(float(line.split()[-1]) for line in lines if any(line.startswith(name + "{") for name in names))


def test_the_contract_holds(engine: str) -> None:
    assert contract.check(engine)


def test_the_adapter_names_what_is_there(engine: str) -> None:
    said = httpx2.get(engine + "/metrics").text

    assert httpx2.get(engine + VLLM.health).status_code == 200
    assert [own for own in VLLM.metrics.values() if f"\n{own}{{" not in said] == []


@pytest.mark.parametrize("stream", [True, False])
async def test_answers_come_through_the_gateway(door: Door, stream: bool) -> None:
    status, _, _ = await door.post("/v1/chat/completions", {**LONG, "max_tokens": 5, "stream": stream})

    assert (status, door.outcomes()) == (200, {"ok": 1})
    assert door.count("sluice_tokens_total", direction="out") == 5


@pytest.mark.parametrize("named", [{}, {"max_tokens": MOST + 50}])
async def test_no_answer_is_longer_than_the_engine_was_started_for(door: Door, named: dict[str, int]) -> None:
    body = {name: value for name, value in LONG.items() if name != "max_tokens"} | named
    status, _, _ = await door.post("/v1/chat/completions", body)

    assert (status, door.outcomes()) == (200, {"ok": 1})
    assert door.count("sluice_tokens_total", direction="out") == MOST


async def test_a_refusal_of_vllms_is_told_without_the_prompt(door: Door) -> None:
    wrongs = ({"max_tokens": 8000}, {"messages": MARKER}, {"response_format": {"type": MARKER}}, {"logit_bias": MARKER})
    for wrong in wrongs:
        body = {"messages": [{"role": "user", "content": MARKER}], **wrong}
        status, _, said = await door.post("/v1/chat/completions", body)
        assert (status, MARKER.encode() in said) == (400, False), (wrong, said)

    assert door.outcomes()["prompt"] >= 3  # what the gateway did not refuse itself


@pytest.mark.parametrize("phase", PHASES)
async def test_a_client_that_goes_away_frees_the_engine_within_a_second(door: Door, engine: str, phase: str) -> None:
    asked = asyncio.create_task(door.session.post(door.url + "/v1/chat/completions", json=PHASES[phase]))
    assert await until(lambda: under_way(engine) > 0, 10)
    if phase == "in mid-stream":
        await (await asked).content.readuntil(b"\n\n")
    if asked.done():
        asked.result().close()
    asked.cancel()

    assert await until(lambda: under_way(engine) == 0, 1)
    assert await until(lambda: door.outcomes() == {"client_cancel": 1}, 1)


async def test_a_trace_goes_from_the_client_into_vllm(door: Door) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with collecting(COLLECTOR) as collector:
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        await door.post("/v1/chat/completions", {**LONG, "max_tokens": 5}, **headers)
        assert await until(lambda: sum(one.trace == trace for one in collector.spans) >= 3, 20)

    children = {one.parent: one for one in collector.spans if one.trace == trace}
    request = children["b7ad6b7169203331"]
    attempt = children[request.id]
    generation = children[attempt.id]
    assert (request.kind, attempt.kind) == ("server", "client")
    assert generation.service != request.service
    assert generation.about["gen_ai.usage.completion_tokens"] == 5
