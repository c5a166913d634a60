"""uvicorn with this gateway's manners: it says that it drains, and what outlasts the drain is told so."""

import asyncio
import copy
import fcntl
import gc
import math
import os
import resource
import signal
import socket
import traceback
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG
from uvicorn.logging import DefaultFormatter

from app.gateway import Whose, unplaced
from app.lobby import Lobby
from app.protocol import Protocol
from app.reading import PIECE_BYTES, Reader
from app.settings import Settings

CLOSING_SECONDS = 2  # for what still runs when the time to drain is up to be told so
# objects that came and stayed between two looks for garbage among them; such looks between two among what these left;
# those between two among all. Next to none is found, for what a connection or a request leaves refers to nothing that
# refers to it. But a look stops everybody: at a burst's 20 000 new objects for 4 ms, at all of 2 000 streams for 20 ms
GARBAGE = (500, 20_000, 20)
SWEEP_SECONDS = 0.01  # between two looks at what is new
FILES = 16_384  # open at once: for so many there is room from the start
KEEP_ALIVE_SECONDS = 75  # longer than clients and load balancers keep theirs: whoever closes first must not be us


class Discreet(DefaultFormatter):
    """Says of an exception what it is and where it came up; what it says itself may quote a prompt."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        return "".join(traceback.format_tb(ei[2])) + str(getattr(ei[0], "__name__", ""))


def logging() -> dict[str, Any]:
    found = copy.deepcopy(LOGGING_CONFIG)
    found["formatters"]["default"]["()"] = Discreet
    return found


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.app = app

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what was imported and built is for good: it need not be looked through again and again
        self.sweep()

    def sweep(self) -> None:
        """Look for garbage among what is new, while it is little.

        Python does so after so many objects more have come than gone, whichever went: beside many streams, which end,
        that may be 20 000 new ones, and a look of 7 ms.
        """
        gc.collect(0)
        self.loop.call_later(SWEEP_SECONDS, self.sweep)

    def handle_exit(self, sig: int, frame: object) -> None:
        gateway = getattr(self.app.state, "gateway", None)
        if gateway and not gateway.draining:
            self.loop.call_soon_threadsafe(gateway.drain, self.loop)
        super().handle_exit(signal.Signals(sig), None)


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM, on the loop that the configuration names: `asyncio.run` would take asyncio's own."""
    told = config(app, settings)
    gc.set_threshold(*GARBAGE)
    reserve(FILES)
    with asyncio.Runner(loop_factory=told.get_loop_factory()) as runner:
        runner.run(Server(told, app).serve())


def reserve(files: int) -> None:
    """Make the kernel's table of this process's files as large at once.

    It doubles when it is full, and then a process with threads waits some 10 ms for all cores to have seen it: six
    times while a thousand connections come.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = files if limit == resource.RLIM_INFINITY else min(files, limit)
    with socket.socket() as some:
        os.close(fcntl.fcntl(some, fcntl.F_DUPFD, most - 1))


def config(app: FastAPI, settings: Settings, host: str = "0.0.0.0") -> uvicorn.Config:  # noqa: S104 - a pod's own address
    own: dict[str, object] = {"head_seconds": settings.head_seconds, "send_seconds": settings.send_seconds}
    own |= {"said": staticmethod(lambda: unplaced(app)), "whose": Whose(app)}
    own |= {"shed": app.state.shed, "turns": app.state.turns, "lobby": Lobby(app.state.turns)}
    protocol = type("PatientProtocol", (Protocol,), own)
    read = {"protocol": protocol, "piece": memoryview(bytearray(PIECE_BYTES))}
    return uvicorn.Config(
        app,
        host=host,
        port=settings.port,
        loop="uvloop",
        interface="asgi3",  # uvicorn would look for a coroutine function
        http=type("PatientReader", (Reader,), read),
        ws="none",
        proxy_headers=False,  # no one asks from which address a request came
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        log_config=logging(),
        log_level="error",  # a line for each request that is no HTTP lets its sender fill a disk
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds) + CLOSING_SECONDS,
    )
