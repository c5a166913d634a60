"""The fake engine, started with vLLM's own command line: what the image's launcher execs on a base that has no vLLM.

`--faults=[…]`, a plan of lab/fault.py, is the one word that vLLM does not know: a commit can make an engine bad.
"""

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from lab import engine, fault

BEHIND = 8900  # where the engine listens when a plan of faults stands before it


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What matters here; vLLM's other options are passed over."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--served-model-name", default=engine.Settings.model)
    parser.add_argument("--port", type=int, default=engine.Settings.port)
    parser.add_argument("--shutdown-timeout", type=float, default=engine.Settings.shutdown_seconds)
    parser.add_argument("--faults", default="")
    return parser.parse_known_args(words)[0]


def apps(given: argparse.Namespace) -> list[tuple[web.Application, str, int]]:
    """Each application with the address that it listens on."""
    settings = replace(engine.Settings.from_env(), model=given.served_model_name, port=given.port)
    plan = fault.plan_of(given.faults)
    if not plan:
        return [(engine.create_app(settings), "0.0.0.0", given.port)]  # noqa: S104 - a pod is reached from outside
    before = fault.create_app(f"http://127.0.0.1:{BEHIND}", plan)
    return [(engine.create_app(settings), "127.0.0.1", BEHIND), (before, "0.0.0.0", given.port)]  # noqa: S104


async def serve(given: argparse.Namespace) -> None:
    """Until SIGTERM; running answers are finished first."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with contextlib.AsyncExitStack() as stack:
        for app, host, port in apps(given):
            runner = web.AppRunner(
                app, handler_cancellation=True, access_log=None, shutdown_timeout=given.shutdown_timeout
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, host, port).start()
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(serve(options()))
