import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from lab import engine, fault
from quality import cases, prober, probing, prompts
from rollouts import gates

KEY = "probe-key"


class Gateway:
    """As much of the gateway as a prober sees: arms, the key, and that there may be no canary."""

    def __init__(self, engine_url: str, plan: str = "[]") -> None:
        self.canary = True
        self.asked: list[tuple[str, bool, str]] = []
        self.cases: list[tuple[str, str]] = []
        self.refused: list[float] = []
        self.app = fault.create_app(engine_url, fault.plan_of(plan))
        self.app.middlewares.append(self.arms)
        self.app.on_response_prepare.append(self.released)

    @web.middleware
    async def arms(self, request: web.Request, handler: Any) -> web.StreamResponse:
        assert request.headers["x-sluice-probe"] == KEY
        arm, body = request.headers["x-sluice-arm"], await request.json()
        if arm == "canary" and not self.canary:
            self.refused.append(time.monotonic())
            return web.json_response({"error": {"message": "no", "code": "no_canary"}}, status=409)
        if "temperature" in body:  # a case of the quality gate
            self.cases.append((arm, body["messages"][0]["content"]))
            return web.json_response({"choices": [{"message": {"content": "the Tisk"}, "finish_reason": "stop"}]})
        self.asked.append((arm, body["stream"], json.dumps(body.get("messages") or body["prompt"])))
        reply: web.StreamResponse = await handler(request)
        return reply

    async def released(self, request: web.Request, reply: web.StreamResponse) -> None:
        reply.headers.update({"x-sluice-rollout": "demo/llm-engine", "x-sluice-release": "v1.1.0-r2"})


@pytest.fixture
async def real() -> AsyncIterator[str]:
    async with TestServer(engine.create_app(engine.Settings(ttft_ms=1, itl_ms=1))) as server:
        yield str(server.make_url("/"))


Until = Callable[[prober.Prober], bool]


async def probed(gateway: Gateway, until: Until, **given: Any) -> prober.Prober:
    """Probe until what the test waits for has come, however slow the machine is."""
    async with TestServer(gateway.app, handler_cancellation=True) as server:
        url = str(server.make_url("/")).rstrip("/")
        settings = probing.Settings(**{"gateway": url, "key": KEY, "model": "sluice-tiny", "rate_per_arm": 50, **given})
        made = prober.Prober(settings, prompts.load(), cases.load(), gates.load().quality)
        async with prober.session_of(settings) as session, asyncio.timeout(60):
            running = asyncio.create_task(made.run(session))
            while not until(made):
                await asyncio.sleep(0.01)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    return made


async def test_both_arms_get_the_rate_three_quarters_of_it_streamed(real: str) -> None:
    gateway, began = Gateway(real), time.monotonic()
    made = await probed(gateway, lambda _: len(gateway.asked) >= 120)
    arms = Counter(arm for arm, _, _ in gateway.asked)
    assert all(20 < arms[arm] <= 50 * (time.monotonic() - began) + 1 for arm in probing.ARMS)
    streamed = sum(stream for _, stream, _ in gateway.asked) / len(gateway.asked)
    assert 0.65 < streamed < 0.85
    assert made.failed == {"stable": 0, "canary": 0}


async def test_every_golden_prompt_is_asked_streamed_and_whole(real: str) -> None:
    gateway, wanted = Gateway(real), 2 * len(prompts.load())

    def ways() -> set[tuple[bool, str]]:
        return {(stream, prompt) for arm, stream, prompt in gateway.asked if arm == "stable"}

    await probed(gateway, lambda _: len(ways()) >= wanted, rate_per_arm=60)
    assert len(ways()) == wanted


async def test_without_a_canary_only_stable_is_probed_and_the_question_backs_off(real: str) -> None:
    gateway = Gateway(real)
    gateway.canary = False
    made = await probed(gateway, lambda _: len(gateway.refused) >= 3, rate_per_arm=20, back_off=0.4)
    assert {arm for arm, _, _ in gateway.asked} <= {"stable"}
    assert all(later - earlier >= 0.4 for earlier, later in itertools.pairwise(gateway.refused))
    assert made.sent["canary"] == made.failed["canary"] == 0


async def test_a_canary_that_comes_is_probed(real: str) -> None:
    gateway = Gateway(real)
    gateway.canary = False

    def seen(made: prober.Prober) -> bool:
        gateway.canary = gateway.canary or len(gateway.refused) >= 2  # it comes after two refusals
        return made.sent["canary"] > 10

    made = await probed(gateway, seen, back_off=0.2)
    assert made.failed["canary"] == 0


async def test_both_arms_are_asked_the_golden_set_once_for_the_quality_gate(
    real: str, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = Gateway(real)
    made = await probed(
        gateway, lambda made: made.trial.judged is not None, answers_per_second=1000.0, answers_cases=50
    )
    asked = Counter(gateway.cases)
    assert set(asked.values()) == {1}
    assert {case for arm, case in asked if arm == "canary"} == {case for arm, case in asked if arm == "stable"}
    assert {question for _, question in asked} == {case.question for case in made.trial.cases}
    verdict = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "answers judged" in line]
    assert [(one["release"], one["verdict"]) for one in verdict] == [("v1.1.0-r2", "pass")]


async def test_without_a_canary_the_quality_gate_asks_nothing(real: str) -> None:
    gateway = Gateway(real)
    gateway.canary = False
    await probed(gateway, lambda _: len(gateway.refused) >= 3, rate_per_arm=20, back_off=0.1)
    assert gateway.cases == []


async def test_a_failing_answer_is_one_json_line_without_the_prompt(
    real: str, capfd: pytest.CaptureFixture[str]
) -> None:
    made = await probed(Gateway(real, '[{"do": "gibberish"}]'), lambda made: made.sent["stable"] > 5)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert made.failed["stable"] == made.sent["stable"]
    lines = [line for line in lines if line["event"] == "probe failed"]
    assert {tuple(line["failed"]) for line in lines} <= {("replacement",), ("replacement", "repetition")}
    said = json.dumps(lines, ensure_ascii=False)
    assert not [golden.id for golden in prompts.load() if golden.prompt and golden.prompt in said]
    assert KEY not in said


async def test_a_hanging_engine_does_not_slow_the_prober_down_and_is_bounded(real: str) -> None:
    gateway = Gateway(real, '[{"do": "hang"}]')
    full: list[float] = []

    def later(_: prober.Prober) -> bool:
        if len(gateway.asked) >= 16:
            full.append(time.monotonic())
        return bool(full) and time.monotonic() - full[0] > 0.3  # fifteen more would have come by now

    await probed(gateway, later, at_once=8)
    assert Counter(arm for arm, _, _ in gateway.asked) == {"stable": 8, "canary": 8}


async def livez(port: int) -> int:
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            try:
                return (await session.get(f"http://127.0.0.1:{port}/livez")).status
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)
    raise AssertionError("the prober never came up")


async def test_the_process_lives_probes_and_stops_cleanly_at_sigterm(real: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    gateway, port = Gateway(real), unused_port()
    async with TestServer(gateway.app) as server:
        env = os.environ | {
            "SLUICE_GATEWAY_URL": str(server.make_url("/")),
            "SLUICE_PROBE_KEY_FILE": str(tmp_path / "key"),
            "SLUICE_RATE_PER_ARM": "50",
            "SLUICE_MODEL_NAME": "sluice-tiny",
            "SLUICE_PROBER_PORT": str(port),
        }
        line = [sys.executable, "-m", "quality.prober"]
        ran = await asyncio.create_subprocess_exec(*line, env=env, stderr=subprocess.PIPE)
        assert await livez(port) == 200
        async with aiohttp.ClientSession() as session:
            metrics = await session.get(f"http://127.0.0.1:{port}/metrics")
            assert "sluice_answers_verdict" in await metrics.text()
        async with asyncio.timeout(60):
            while sum(arm == "stable" for arm, _, _ in gateway.asked) < 8:
                await asyncio.sleep(0.01)
        ran.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(ran.communicate(), 10)
    last = json.loads(said.splitlines()[-1])
    assert ran.returncode == 0
    assert last["event"] == "prober stopped"
    assert last["sent"]["stable"] > 0


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({}, "set SLUICE_GATEWAY_URL, SLUICE_PROBE_KEY_FILE, SLUICE_MODEL_NAME"),
        ({"SLUICE_PROBE_KEY_FILE": "/nowhere/key"}, "/nowhere/key"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_one_line(env: dict[str, str], why: str) -> None:
    whole = {"SLUICE_GATEWAY_URL": "http://127.0.0.1:1", "SLUICE_PROBE_KEY_FILE": "/dev/null", "SLUICE_MODEL_NAME": "m"}
    given = {"PATH": os.environ["PATH"], **(whole | env if env else {})}
    ran = subprocess.run(
        [sys.executable, "-m", "quality.prober"], env=given, capture_output=True, text=True, timeout=20
    )
    assert ran.returncode == 1
    assert why in ran.stderr
    assert ran.stderr.count("\n") == 1
