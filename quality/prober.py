"""The prober: golden prompts to both arms through the gateway, and to the pods of a new gateway, as long as it runs.

The gateway counts; here an answer is only looked at, and what fails is one JSON line without prompt or answer. Beside
it, once per release, trial.py asks both arms the golden set and judges the canary's answers.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from quality import answers, ask, cases, prompts
from quality.cases import Case
from quality.gateways import Gateways
from quality.probing import Paced, Settings, say
from quality.trial import Trial, sampled
from release.errors import ReleaseError
from rollouts import gates
from rollouts.gates import Quality

NO_CANARY = "no_canary"  # the code of the gateway's refusal


class Prober(Paced):
    """Probes the engine's arms, through whichever gateway pod the Service chooses."""

    def __init__(self, settings: Settings, golden: list[prompts.Golden], asked: list[Case], judged_by: Quality) -> None:
        super().__init__(settings, golden)
        self.trial = Trial(
            self.answer_to, sampled(asked, settings.answers_cases), judged_by, say, settings.answers_per_second
        )
        self.no_canary_until = 0.0

    async def run(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        async with asyncio.TaskGroup() as group:
            group.create_task(self.trial.run())
            group.create_task(super().run(session))

    def idle(self, arm: str, due: float) -> bool:
        return arm == "canary" and due < self.no_canary_until

    async def probe(self, arm: str, turn: int) -> None:
        golden, stream = self.drawn(turn)
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
async def alive(port: int, *counted: CollectorRegistry) -> AsyncIterator[None]:
    async def metrics(request: web.Request) -> web.Response:
        body = b"".join(map(generate_latest, counted))
        return web.Response(body=body, headers={"content-type": CONTENT_TYPE_LATEST})

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


async def serve(prober: Prober, gateways: Gateways) -> None:
    """Probe until SIGTERM or SIGINT."""
    settings, stop = prober.settings, asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    probers: list[Paced] = [prober, gateways] if settings.gateway_rollout else [prober]
    counted = prober.trial.shown.registry, gateways.counters.registry
    async with alive(settings.port, *counted), session_of(settings) as session:
        running = [asyncio.create_task(one.run(session)) for one in probers]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, *running):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*running)
        say(event="prober stopped", sent=prober.sent, failed=prober.failed)


def main() -> None:
    try:
        settings, golden = Settings.from_env(), prompts.load()
        prober = Prober(settings, golden, cases.load(), gates.load().quality)
    except (ValueError, OSError, ReleaseError, gates.GatesError) as error:
        sys.exit(f"prober: {error}")
    asyncio.run(serve(prober, Gateways(settings, golden)))


if __name__ == "__main__":
    main()
