"""A gateway with a fault of its own, for the lab's scenarios: the real one, and around it what the scenario breaks.

`SLUICE_LAB_FAULT`: `http_500` fails every generation, `slow` keeps each back for 30 ms, `crash` never comes up.
"""

import asyncio
import os
import sys

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.main import create_app
from app.server import Server, config
from app.settings import Settings

SLOW_SECONDS = 0.03
KINDS = ("http_500", "slow", "crash")


class Faulty:
    """Only generations: health, metrics and the model list stay true."""

    def __init__(self, app: ASGIApp, do: str) -> None:
        self.app, self.do = app, do

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            if self.do == "http_500":
                await JSONResponse({"error": {"message": "made by the lab", "code": "broken"}}, 500)(
                    scope, receive, send
                )
                return
            await asyncio.sleep(SLOW_SECONDS)
        await self.app(scope, receive, send)


def main() -> None:
    do = os.environ.get("SLUICE_LAB_FAULT", "")
    if do not in KINDS:
        sys.exit(f"SLUICE_LAB_FAULT: {do!r} is none of {', '.join(KINDS)}")
    if do == "crash":
        sys.exit("crashing at start, as the scenario wants it")
    settings = Settings()
    app = create_app(settings)
    app.add_middleware(Faulty, do=do)
    asyncio.run(Server(config(app, settings), app).serve())


if __name__ == "__main__":
    main()
