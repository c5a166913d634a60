"""`python3 -m app`: the gateway on its port, until SIGTERM; then running answers are finished."""

import asyncio
import logging
import math
import signal
import socket
import sys

import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from app.main import create_app
from app.settings import Settings

CLOSING_SECONDS = 2  # for what still runs when the time to drain is up to be told so
KEEP_ALIVE_SECONDS = 75  # longer than clients and load balancers keep theirs: whoever closes first must not be us


class Server(uvicorn.Server):
    """Says that it drains before it stops listening."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self.app = app

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: object) -> None:
        gateway = getattr(self.app.state, "gateway", None)
        if gateway and not gateway.draining:
            self.loop.call_soon_threadsafe(gateway.drain, self.loop)
        super().handle_exit(signal.Signals(sig), None)


def main() -> int:
    try:
        settings = Settings()
    except ValidationError as error:
        for one in error.errors():
            print(f"SLUICE_{'_'.join(map(str, one['loc'])).upper()}: {one['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
    )
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - a pod's own address
        port=settings.port,
        loop="uvloop",
        http="httptools",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds) + CLOSING_SECONDS,
    )
    asyncio.run(Server(config, app).serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
