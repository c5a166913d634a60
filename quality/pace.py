"""An even pace that nobody's slowness changes: what was late is not made up by a burst."""

import asyncio
import time


async def beat(last: float, per_second: float) -> float:
    """Wait until the next is due after the `last` one, and say when that is, in time.monotonic()'s seconds."""
    due = max(last + 1 / per_second, time.monotonic())
    await asyncio.sleep(due - time.monotonic())
    return due
