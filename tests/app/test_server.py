import asyncio

import pytest
import uvicorn

from app.main import create_app
from app.server import Server, config, run
from app.settings import Settings


def test_the_gateway_runs_on_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = []

    async def serve(server: Server) -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)

    monkeypatch.setattr(Server, "serve", serve)
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)  # this process has garbage of its own
    settings = Settings(stable_urls="http://127.0.0.1:1", port=0)
    run(create_app(settings), settings)

    assert loops == ["uvloop"]


async def test_what_the_start_has_built_is_no_garbage_to_be_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    async def startup(server: uvicorn.Server, sockets: object = None) -> None:
        done.append("started")

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    monkeypatch.setattr("gc.collect", lambda: done.append("collected"))
    monkeypatch.setattr("gc.freeze", lambda: done.append("frozen"))
    settings = Settings(stable_urls="http://127.0.0.1:1", port=0)
    await Server(config(app := create_app(settings), settings), app).startup()

    assert done == ["started", "collected", "frozen"]
