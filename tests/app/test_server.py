import asyncio

import pytest

from app.main import create_app
from app.server import Server, run
from app.settings import Settings


def test_the_gateway_runs_on_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = []

    async def serve(server: Server) -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)

    monkeypatch.setattr(Server, "serve", serve)
    monkeypatch.setattr("gc.freeze", lambda: None)  # of this process only what runs alone is for good
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    settings = Settings(stable_urls="http://127.0.0.1:1", port=0)
    run(create_app(settings), settings)

    assert loops == ["uvloop"]
