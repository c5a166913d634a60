"""Where a gateway's time goes: py-spy looks at it from outside while it is under load."""

import asyncio
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from perf.bench import client
from perf.bench.servers import Server

SPY = str(Path(sys.executable).with_name("py-spy"))
SECONDS = 4
LINES = 25
STACK = re.compile(r"^(.*) (\d+)$")
WAITS = "_worker (concurrent/futures/thread.py"  # a thread without work, which py-spy does not know for one everywhere


async def taken(server: Server, clients: int = 8) -> list[str]:
    """`share  function (file:line)` by time of its own, the most first; empty where py-spy may not look."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "stacks")
        line = ["record", "--pid", str(server.pid), "--duration", str(SECONDS), "--rate", "250", "--format", "raw"]
        quiet = asyncio.subprocess.DEVNULL
        spy = await asyncio.create_subprocess_exec(SPY, *line, "-o", str(out), stdout=quiet, stderr=quiet)
        await client.loaded(server.port, client.body(stream=False), clients, SECONDS + 1)
        await spy.wait()
        return lines(read(out))


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def lines(stacks: str) -> list[str]:
    """From folded stacks, one a line: functions by own time, and this repository's also by all that they called."""
    own: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for found in filter(None, map(STACK.match, stacks.splitlines())):
        frames, times = found[1].split(";"), int(found[2])
        if frames[-1].startswith(WAITS):
            continue
        own[frames[-1]] += times
        ours.update(dict.fromkeys((frame for frame in frames if "(app/" in frame), times))
    total = sum(own.values()) or 1
    said = [f"{times / total:6.1%} own   {frame}" for frame, times in own.most_common(LINES)]
    return said + [f"{times / total:6.1%} under {frame}" for frame, times in ours.most_common(LINES)]
