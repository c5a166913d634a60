"""User traffic in the background of a scenario: a thread with an event loop of its own."""

import asyncio
import contextlib
import threading

from lab.traffic import Summary, Traffic

LONGEST_SECONDS = 1800  # whoever forgets to stop it, it ends


class Load:
    """Open-loop user requests from `start` to `stop`."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.loop = asyncio.new_event_loop()
        self.stopping = asyncio.Event()
        self.summary: Summary | None = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> Summary:
        """Send no more, wait for what is under way, and sum up."""
        self.loop.call_soon_threadsafe(self.stopping.set)
        self.thread.join()
        if self.summary is None:
            raise RuntimeError("user traffic ended in an error: its traceback stands above")
        return self.summary

    def run(self) -> None:
        self.summary = self.loop.run_until_complete(self.drive())

    async def drive(self) -> Summary:
        await self.traffic.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), LONGEST_SECONDS)
        return await self.traffic.stop()
