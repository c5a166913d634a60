"""The prober: golden prompts to both arms through the gateway, at an even pace, as long as it runs.

The gateway counts; here an answer is only looked at, and what fails is one JSON line without prompt or answer.
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

from quality import answers, prompts

ARMS = ("stable", "canary")


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

    @classmethod
    def from_env(cls) -> "Settings":
        """From SLUICE_*; ValueError in one line for what is missing."""
        env = os.environ
        missing = [name for name in ("GATEWAY_URL", "PROBE_KEY_FILE", "MODEL_NAME") if not env.get(f"SLUICE_{name}")]
        if missing:
            raise ValueError(f"set {', '.join(f'SLUICE_{name}' for name in missing)}")
        rate = float(env.get("SLUICE_RATE_PER_ARM", cls.rate_per_arm))
        if rate <= 0:
            raise ValueError(f"SLUICE_RATE_PER_ARM is {rate}: it must be above 0")
        return cls(
            gateway=env["SLUICE_GATEWAY_URL"].rstrip("/"),
            key=Path(env["SLUICE_PROBE_KEY_FILE"]).read_text(encoding="utf-8").strip(),
            model=env["SLUICE_MODEL_NAME"],
            rate_per_arm=rate,
            port=int(env.get("SLUICE_PROBER_PORT", cls.port)),
        )


def say(**what: Any) -> None:
    sys.stderr.write(json.dumps({"time": round(time.time(), 3), **what}, ensure_ascii=False) + "\n")


class Prober:
    def __init__(self, settings: Settings, golden: list[prompts.Golden]) -> None:
        self.settings = settings
        self.golden = golden
        self.sent = dict.fromkeys(ARMS, 0)
        self.failed = dict.fromkeys(ARMS, 0)
        self.no_canary_until = 0.0

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Until cancelled; what is in flight then is cancelled too."""
        async with asyncio.TaskGroup() as arms:
            for arm in ARMS:
                arms.create_task(self.paced(session, arm))

    async def paced(self, session: aiohttp.ClientSession, arm: str) -> None:
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
                probe = probes.create_task(self.probe(session, arm, turn))
                in_flight.add(probe)
                probe.add_done_callback(in_flight.discard)

    async def probe(self, session: aiohttp.ClientSession, arm: str, turn: int) -> None:
        golden = self.golden[turn % len(self.golden)]
        # three of four, for only a stream tells the TTFT; each prompt both ways
        stream = (turn + turn // len(self.golden)) % 4 != 0
        headers = {"x-sluice-probe": self.settings.key, "x-sluice-arm": arm}
        answer = await answers.asked(
            session, self.settings.gateway + golden.path, golden.body(self.settings.model, stream=stream), headers
        )
        if arm == "canary" and answer.code == "no_canary":
            self.no_canary_until = time.monotonic() + self.settings.back_off
            return
        self.sent[arm] += 1
        failed = [answer.outcome] if answer.outcome != "ok" else golden.failed(answer.text)
        if failed:
            self.failed[arm] += 1
            say(event="probe failed", arm=arm, probe=golden.id, stream=stream, failed=failed, **answer.context())


async def livez(request: web.Request) -> web.Response:
    return web.Response(text="ok")


@contextlib.asynccontextmanager
async def alive(port: int) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/livez", livez)
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


async def serve(settings: Settings, golden: list[prompts.Golden]) -> None:
    """Probe until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with alive(settings.port), session_of(settings) as session:
        prober = Prober(settings, golden)
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
        settings, golden = Settings.from_env(), prompts.load()
    except (ValueError, OSError) as error:
        sys.exit(f"prober: {error}")
    asyncio.run(serve(settings, golden))


if __name__ == "__main__":
    main()
