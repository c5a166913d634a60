import asyncio
import os
import signal

import aiohttp
import pytest

from lab import engine, standin
from model import pin
from model.serve import command

FAULTS = '--faults=[{"when": {"source": "user"}, "do": "http_500"}]'


def words(port: int, *extra: str) -> list[str]:
    """What the image's launcher makes of the model pin, without the program's own name."""
    found = pin.load(pin.chosen())
    env = {"SLUICE_ENGINE_PORT": str(port), "SLUICE_SHUTDOWN_SECONDS": "1"}
    return command(found, pin.chosen().parent, env, extra)[3:]


async def asked(port: int, source: str) -> int:
    body = {"model": "sluice-tiny", "messages": [{"role": "user", "content": "hello"}]}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.post(url, json=body, headers={"x-sluice-source": source}) as reply:
                    return reply.status
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.02)


async def answers(port: int, *extra: str) -> tuple[int, int]:
    """What a probe and a user get from an engine that was started with the launcher's words."""
    serving = asyncio.create_task(standin.serve(standin.options(words(port, *extra))))
    found = await asked(port, "probe"), await asked(port, "user")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 10)
    return found


def test_the_launchers_words_are_understood_and_a_request_is_answered(unused_tcp_port: int) -> None:
    assert asyncio.run(answers(unused_tcp_port)) == (200, 200)


def test_its_pace_is_its_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_ENGINE_ITL_MS", "400")
    made: list[engine.Settings] = []
    monkeypatch.setattr(engine, "create_app", made.append)
    standin.apps(standin.options(words(8123)))
    assert [(one.itl_ms, one.port, one.model) for one in made] == [(400, 8123, "sluice-tiny")]


def test_a_commit_can_make_it_bad_for_users_alone(unused_tcp_port: int) -> None:
    assert asyncio.run(answers(unused_tcp_port, FAULTS)) == (200, 500)
