import asyncio
import subprocess
import sys
from unittest.mock import Mock, call

import pytest
import uvicorn

from app.main import create_app
from app.server import SWEEP_SECONDS, Server, config, run
from app.settings import Settings


def test_the_gateway_runs_on_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = []

    async def serve(server: Server) -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)

    monkeypatch.setattr(Server, "serve", serve)
    monkeypatch.setattr("gc.freeze", lambda: None)  # of this process only what runs alone is for good
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr("app.server.reserve", lambda _: None)
    settings = Settings(stable_urls="http://127.0.0.1:1", port=0)
    run(create_app(settings), settings)

    assert loops == ["uvloop"]


async def test_what_the_start_has_built_is_no_garbage_to_be_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    async def startup(server: uvicorn.Server, sockets: object = None) -> None:
        done.append("started")

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    monkeypatch.setattr("gc.collect", lambda *_: done.append("collected"))
    monkeypatch.setattr("gc.freeze", lambda: done.append("frozen"))
    settings = Settings(stable_urls="http://127.0.0.1:1", port=0)
    server = Server(config(app := create_app(settings), settings), app)
    server.loop = asyncio.get_running_loop()
    await server.startup()

    assert done[:3] == ["started", "collected", "frozen"]


async def test_what_is_new_is_looked_through_before_it_has_become_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself counts those that came less those that went: it would look after 500 more of them."""
    monkeypatch.setattr("gc.collect", collected := Mock())
    settings = Settings(stable_urls="http://127.0.0.1:1", port=0)
    server = Server(config(app := create_app(settings), settings), app)
    server.loop = asyncio.get_running_loop()
    server.sweep()
    async with asyncio.timeout(5):
        while collected.call_count < 3:
            await asyncio.sleep(SWEEP_SECONDS)

    assert collected.call_args_list == [call(0)] * collected.call_count


@pytest.mark.parametrize(("limit", "reserved"), [(4096, 2048), (1024, 1024)])
def test_there_is_room_for_many_connections_from_the_start(limit: int, reserved: int) -> None:
    script = f"""if True:
        import re, resource
        from app.server import reserve
        resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
        size = lambda: int(re.search(r"FDSize:\\s+(\\d+)", open("/proc/self/status").read())[1])
        before = size()
        reserve(2048)
        print(before, size())
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())

    assert before < reserved <= after
