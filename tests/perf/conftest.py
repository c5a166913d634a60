import os

# Locust would change the sockets of every test in this process; here it needs none of its own
os.environ.setdefault("LOCUST_SKIP_MONKEY_PATCH", "1")

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from model.running import free_port
from perf import engine
from perf.blank import Blank


@pytest.fixture
async def blank() -> AsyncIterator[int]:
    """The port of a server that costs next to nothing, in this process."""
    server = await asyncio.get_running_loop().create_server(Blank, "127.0.0.1", 0)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port


@pytest.fixture
def blank_process() -> Iterator[str]:
    """The same in a process of its own, for programs that are started."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "perf.blank", str(port)], cwd=engine.ROOT)
    try:
        engine.listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        engine.end(process)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        return int(here.getsockname()[1])
