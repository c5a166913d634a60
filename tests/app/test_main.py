import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from model.running import free_port

ROOT = Path(__file__).parents[2]


def start(engine_url: str, **settings: str) -> tuple["subprocess.Popen[str]", str]:
    port = free_port()
    env = {**os.environ, "SLUICE_STABLE_URLS": engine_url, "SLUICE_PORT": str(port), **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "app"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return process, f"http://127.0.0.1:{port}"


def answers(url: str, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return True
        except OSError:
            time.sleep(0.05)
    return False


def refuses(url: str, seconds: float = 10) -> bool:
    """Whether nobody takes a connection any more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                time.sleep(0.02)
        except OSError as error:  # reset: it was in the queue when the door was closed
            if "refused" in str(error):
                return True
    return False


async def test_a_stream_under_way_is_finished_after_sigterm(engine: Any, request: pytest.FixtureRequest) -> None:
    engine.mode = "stall"
    process, url = start(engine.url, SLUICE_IDLE_SECONDS="1.5", SLUICE_DRAIN_SECONDS="10")
    request.addfinalizer(process.kill)
    assert await asyncio.to_thread(answers, url + "/livez")
    body = {"prompt": "a", "stream": True}
    async with aiohttp.ClientSession() as session, session.post(url + "/v1/completions", json=body) as reply:
        await reply.content.readuntil(b"\n\n")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(refuses, url + "/livez")  # no new work, while the old goes on
        rest = await reply.read()
    code = await asyncio.to_thread(process.wait, 10)

    assert b"timeout_idle" in rest  # the engine stalled: the stream got its end, and was not cut by the exit
    assert code == -signal.SIGTERM  # ended by what was asked, not by a kill


@pytest.mark.parametrize("mode", ["stall", "silent"])
async def test_a_stream_that_outlasts_the_drain_is_told_so(engine: Any, request: Any, mode: str) -> None:
    engine.mode = mode
    process, url = start(engine.url, SLUICE_DRAIN_SECONDS="1")
    request.addfinalizer(process.kill)
    assert await asyncio.to_thread(answers, url + "/livez")
    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.post(url + "/v1/completions", json={"prompt": "a", "stream": True}))
        while not engine.running:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        reply = await asked
        rest = await reply.read()
    code = await asyncio.to_thread(process.wait, 10)

    assert reply.status == (503 if mode == "silent" else 200)
    assert b'"code": "shutting_down"' in rest
    assert code == -signal.SIGTERM
    assert engine.running == 0


def test_wrong_settings_are_one_line_each_all_at_once() -> None:
    wrong = {"SLUICE_PORT": "no", "SLUICE_IDLE_SECONDS": "-1", "SLUICE_LOG_LEVEL": "loud", "SLUICE_STABLE_URLS": "a:1"}
    files = {"SLUICE_PROBE_KEY_FILE": "/nowhere/key", "SLUICE_KEYS_FILE": "/nowhere/keys.yaml"}
    mistyped = {"SLUICE_IDLE_SECOND": "30"}
    env = {**os.environ, **wrong, **files, **mistyped}

    done = subprocess.run([sys.executable, "-m", "app"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=20)

    assert done.returncode == 2
    assert {line.split(":")[0] for line in done.stderr.splitlines()} == {*wrong, *files, *mistyped}
    assert len(done.stderr.splitlines()) == 7
    assert "SLUICE_KEYS_FILE: /nowhere/keys.yaml: No such file or directory" in done.stderr


@pytest.mark.parametrize("mode", ["500", "400", "odd", "cut"])
async def test_no_log_line_holds_a_prompt(engine: Any, request: pytest.FixtureRequest, mode: str) -> None:
    engine.mode = mode
    process, url = start(engine.url, SLUICE_LOG_LEVEL="debug")
    request.addfinalizer(process.kill)
    assert await asyncio.to_thread(answers, url + "/livez")
    async with aiohttp.ClientSession() as session:
        for path, more in (
            ("/predict", {}),
            ("/predict", {"max_new_tokens": 0}),
            ("/v1/completions", {"stream": True}),
        ):
            async with session.post(url + path, json={"prompt": "marker-4711", **more}) as reply:
                await reply.read()
    process.send_signal(signal.SIGTERM)
    said, _ = await asyncio.to_thread(process.communicate, None, 20)

    assert len(engine.asked) == 2
    assert "marker" not in said
