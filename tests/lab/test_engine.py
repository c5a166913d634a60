import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from model.running import free_port
from tests.lab import contract


@contextmanager
def started(**env: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    engine = subprocess.Popen(
        [sys.executable, "-m", "lab.engine"],
        env=os.environ | {"SLUICE_ENGINE_PORT": str(port), "SLUICE_ENGINE_TTFT_MS": "1"} | env,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        yield url, engine
    finally:
        engine.kill()
        engine.wait()


def wait_for(url: str, seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            httpx2.get(f"{url}/health")
            return
        except httpx2.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with started(SLUICE_MODEL_NAME="fake-model", SLUICE_ENGINE_TOKENS="3000") as (url, _):
        yield url


def test_keeps_the_contract_that_the_real_engine_keeps(engine: str) -> None:
    assert contract.check(engine) == "fake-model"


def test_says_as_many_tokens_as_its_environment_says() -> None:
    with started(SLUICE_ENGINE_TOKENS="5") as (url, _):
        asked = {"prompt": "how many", "max_tokens": 100}
        answer = httpx2.post(f"{url}/v1/completions", json=asked).json()
        assert answer["usage"]["completion_tokens"] == 5
        assert answer["choices"][0]["finish_reason"] == "stop"


def test_the_first_token_comes_when_its_environment_says() -> None:
    with started(SLUICE_ENGINE_TTFT_MS="300", SLUICE_ENGINE_TOKENS="1") as (url, _):
        before = time.monotonic()
        httpx2.post(f"{url}/v1/completions", json={"prompt": "wait"})
        assert 0.3 <= time.monotonic() - before < 1.5


def test_an_unknown_body_is_refused_in_the_shape_of_openai(engine: str) -> None:
    reply = httpx2.post(f"{engine}/v1/completions", content=b"[1", headers={"content-type": "application/json"})
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "BadRequestError"


async def test_sigterm_lets_answers_under_way_finish() -> None:
    with started(SLUICE_ENGINE_TTFT_MS="600", SLUICE_ENGINE_TOKENS="3") as (url, engine):
        async with httpx2.AsyncClient(timeout=10) as client:
            asked = asyncio.create_task(client.post(f"{url}/v1/completions", json={"prompt": "slow"}))
            await asyncio.sleep(0.2)
            engine.send_signal(signal.SIGTERM)
            assert (await asked).json()["usage"]["completion_tokens"] == 3
        assert await asyncio.to_thread(engine.wait, 10) == 0


def test_a_caller_that_hangs_up_without_a_stream_frees_its_place_too() -> None:
    with started(SLUICE_ENGINE_TTFT_MS="60000") as (url, _), httpx2.Client(base_url=url) as client:
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.post(f"{url}/v1/completions", json={"prompt": "slow"}, timeout=0.5)
        until = time.monotonic() + 5
        while contract.running(client) and time.monotonic() < until:
            time.sleep(0.05)
        assert contract.running(client) == 0
        assert 'finished_reason="abort",model_name="sluice-tiny"} 1.0' in client.get("/metrics").text
