"""The prober: golden prompts to both arms through the gateway, at an even pace, as long as it runs.

The gateway counts; here an answer is only looked at, and what fails is one JSON line without prompt or answer. Beside
it, once per release, trial.py asks both arms the golden set and judges the canary's answers.
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from quality import answers, ask, cases, prompts
from quality.cases import Case
from quality.trial import ARMS, Shown, Trial, sampled
from release.errors import ReleaseError
from rollouts import gates
from rollouts.gates import Quality

NO_CANARY = "no_canary"  # the code of the gateway's refusal


@dataclass(frozen=True)
class Settings:
    gateway: str
    key: str = field(repr=False)
    model: str
    rate_per_arm: float = 2.0
    at_once: int = 64  # requests in flight per arm; above it a probe is left out and logged
    seconds: float = 60.0
    port: int = 8081
    back_off: float = 1.0
    answers_per_second: float = 4.0  # golden cases for the quality gate, each to both arms
    answers_cases: int = 0  # at most so many of them; 0: all

    @classmethod
    def from_env(cls) -> "Settings":
        """From SLUICE_*; ValueError in one line for what is missing."""
        env = os.environ
        missing = [name for name in ("GATEWAY_URL", "PROBE_KEY_FILE", "MODEL_NAME") if not env.get(f"SLUICE_{name}")]
        if missing:
            raise ValueError(f"set {', '.join(f'SLUICE_{name}' for name in missing)}")
        rates = {name: float(env.get(f"SLUICE_{name}", default)) for name, default in RATES.items()}
        if wrong := [name for name, rate in rates.items() if rate <= 0]:
            raise ValueError(f"SLUICE_{wrong[0]} is {rates[wrong[0]]}: it must be above 0")
        return cls(
            gateway=env["SLUICE_GATEWAY_URL"].rstrip("/"),
            key=Path(env["SLUICE_PROBE_KEY_FILE"]).read_text(encoding="utf-8").strip(),
            model=env["SLUICE_MODEL_NAME"],
            rate_per_arm=rates["RATE_PER_ARM"],
            port=int(env.get("SLUICE_PROBER_PORT", cls.port)),
            answers_per_second=rates["ANSWERS_PER_SECOND"],
            answers_cases=int(env.get("SLUICE_ANSWERS_CASES", cls.answers_cases)),
        )


RATES = {"RATE_PER_ARM": Settings.rate_per_arm, "ANSWERS_PER_SECOND": Settings.answers_per_second}


def say(**what: Any) -> None:
    sys.stderr.write(json.dumps({"time": round(time.time(), 3), **what}, ensure_ascii=False) + "\n")


class Prober:
    def __init__(self, settings: Settings, golden: list[prompts.Golden], asked: list[Case], judged_by: Quality) -> None:
        self.settings, self.golden = settings, golden
        self.trial = Trial(
            self.answer_to, sampled(asked, settings.answers_cases), judged_by, say, settings.answers_per_second
        )
        self.sent = dict.fromkeys(ARMS, 0)
        self.failed = dict.fromkeys(ARMS, 0)
        self.no_canary_until = 0.0
        self.session: aiohttp.ClientSession

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Until cancelled; what is in flight then is cancelled too."""
        self.session = session
        async with asyncio.TaskGroup() as group:
            group.create_task(self.trial.run())
            for arm in ARMS:
                group.create_task(self.paced(arm))

    async def paced(self, arm: str) -> None:
        """Open loop: a slow engine does not slow the prober down, or it would hide itself."""
        due = time.monotonic()
        in_flight: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as probes:
            for turn in itertools.count():
                due = max(due + 1 / self.settings.rate_per_arm, time.monotonic())
                await asyncio.sleep(due - time.monotonic())
                if arm == "canary" and due < self.no_canary_until:
                    continue
                if len(in_flight) >= self.settings.at_once:
                    say(event="probe left out", arm=arm, in_flight=len(in_flight))
                    continue
                probe = probes.create_task(self.probe(arm, turn))
                in_flight.add(probe)
                probe.add_done_callback(in_flight.discard)

    async def probe(self, arm: str, turn: int) -> None:
        golden = self.golden[turn % len(self.golden)]
        # three of four, for only a stream tells the TTFT; each prompt both ways
        stream = (turn + turn // len(self.golden)) % 4 != 0
        answer = await self.asked(arm, golden.path, golden.body(self.settings.model, stream=stream))
        if answer.code == NO_CANARY:
            return
        self.sent[arm] += 1
        failed = [answer.outcome] if answer.outcome != "ok" else golden.failed(answer.text)
        if failed:
            self.failed[arm] += 1
            say(event="probe failed", arm=arm, probe=golden.id, stream=stream, failed=failed, **answer.context())

    async def answer_to(self, case: Case, arm: str) -> answers.Answer:
        return await self.asked(arm, ask.PATH, ask.body(case, self.settings.model))

    async def asked(self, arm: str, path: str, body: dict[str, Any]) -> answers.Answer:
        headers = {"x-sluice-probe": self.settings.key, "x-sluice-arm": arm}
        answer = await answers.asked(self.session, self.settings.gateway + path, body, headers)
        if answer.code == NO_CANARY:
            self.no_canary_until = time.monotonic() + self.settings.back_off
            self.trial.gone()
        elif arm == "canary" and (release := answer.headers.get("x-sluice-release")):
            self.trial.seen(answer.headers.get("x-sluice-rollout", ""), release)
        return answer


async def livez(request: web.Request) -> web.Response:
    return web.Response(text="ok")


@contextlib.asynccontextmanager
async def alive(port: int, shown: Shown) -> AsyncIterator[None]:
    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(shown.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()


def session_of(settings: Settings) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=settings.seconds, connect=5)
    # a connection for each probe: one that is kept would bring all of them to the same gateway pod
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=timeout)


async def serve(prober: Prober) -> None:
    """Probe until SIGTERM or SIGINT."""
    settings, stop = prober.settings, asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with alive(settings.port, prober.trial.shown), session_of(settings) as session:
        running = asyncio.create_task(prober.run(session))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        say(event="prober stopped", sent=prober.sent, failed=prober.failed)


def main() -> None:
    try:
        prober = Prober(Settings.from_env(), prompts.load(), cases.load(), gates.load().quality)
    except (ValueError, OSError, ReleaseError, gates.GatesError) as error:
        sys.exit(f"prober: {error}")
    asyncio.run(serve(prober))


if __name__ == "__main__":
    main()
