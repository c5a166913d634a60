"""The prober: golden prompts to both arms through the gateway, and to the pods of a new gateway, as long as it runs.

The gateway counts; here an answer is only looked at, and what fails is one JSON line without prompt or answer.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from quality import answers, prompts
from quality.gateways import Gateways
from quality.probing import Paced, Settings, say


class Prober(Paced):
    """Probes the engine's arms, through whichever gateway pod the Service chooses."""

    no_canary_until = 0.0

    def idle(self, arm: str, due: float) -> bool:
        return arm == "canary" and due < self.no_canary_until

    async def probe(self, session: aiohttp.ClientSession, arm: str, turn: int) -> None:
        golden, stream = self.drawn(turn)
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
async def alive(port: int, counted: CollectorRegistry) -> AsyncIterator[None]:
    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(counted), headers={"content-type": CONTENT_TYPE_LATEST})

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


async def serve(settings: Settings, golden: list[prompts.Golden]) -> None:
    """Probe until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    engines, gateways = Prober(settings, golden), Gateways(settings, golden)
    probers: list[Paced] = [engines, gateways] if settings.gateway_rollout else [engines]
    async with alive(settings.port, gateways.counters.registry), session_of(settings) as session:
        running = [asyncio.create_task(prober.run(session)) for prober in probers]
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, *running):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*running)
        say(event="prober stopped", sent=engines.sent, failed=engines.failed)


def main() -> None:
    try:
        settings, golden = Settings.from_env(), prompts.load()
    except (ValueError, OSError) as error:
        sys.exit(f"prober: {error}")
    asyncio.run(serve(settings, golden))


if __name__ == "__main__":
    main()
