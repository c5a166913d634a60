import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from app.engines import ENGINES
from app.settings import Settings
from tests.app.conftest import Door, opened
from tests.app.recordings import DONE, FLAT, STREAMS, WHOLE, path

ROOT = Path(__file__).parents[2]
BODY = {"messages": [{"role": "user", "content": "hello"}]}
BODIES = {"/v1/chat/completions": BODY, "/v1/completions": {"prompt": "hello"}}


@asynccontextmanager
async def played(settings: Settings, engine: str, content: bytes, kind: str, status: int = 200) -> AsyncIterator[Door]:
    """A gateway in front of an engine that gives one recorded answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(status=status, headers={"content-type": kind})
        await reply.prepare(request)
        await reply.write(content)
        return reply

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with opened(settings.model_copy(update={"stable_urls": url, "engine": engine})) as door:
            yield door
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("name", STREAMS)
async def test_a_recorded_stream_ends_as_its_engine_means_it(settings: Settings, name: str) -> None:
    engine, content, outcome = STREAMS[name]
    async with played(settings, engine, content, "text/event-stream") as door:
        where = path(content)
        _, _, said = await door.post(where, {**BODIES[where], "stream": True})

    assert door.outcomes() == {outcome: 1}
    assert door.count("sluice_ttft_seconds_count") == 1  # its first content was seen, of whatever kind
    assert door.count("sluice_tokens_total", direction="out") == (2 if outcome == "ok" else 0)
    assert content.removesuffix(DONE).split(b"\n\n")[0] in said  # bytes as they came
    assert not re.search(rb'"usage": ?{', said)  # injected, stripped again
    assert (b"stream_truncated" in said) is (outcome == "stream_truncated")


@pytest.mark.parametrize("name", WHOLE)
async def test_a_recorded_answer_in_one_piece_too(settings: Settings, name: str) -> None:
    engine, content, outcome = WHOLE[name]
    async with played(settings, engine, content, "application/json") as door:
        status, _, _ = await door.post("/v1/chat/completions", BODY)

    assert (status, door.outcomes()) == (200 if outcome == "ok" else 502, {outcome: 1})


@pytest.mark.parametrize("name", ["sglang", "lmdeploy"])
async def test_a_flat_refusal_is_brought_into_openais_shape(settings: Settings, name: str) -> None:
    async with played(settings, name, json.dumps(FLAT).encode(), "application/json", 400) as door:
        status, _, said = await door.post("/v1/chat/completions", BODY)

    error = json.loads(said)["error"]
    assert (status, error["message"], error["type"]) == (400, FLAT["message"], "invalid_request_error")


def test_every_engines_gauges_have_neutral_names() -> None:
    rules = yaml.safe_load((ROOT / "monitoring/rules/engine.yaml").read_text())["groups"][0]["rules"]
    said = {rule["record"]: rule["expr"] for rule in rules}

    for engine in ENGINES.values():
        for neutral, own in engine.metrics.items():
            assert f"({own})" in said[neutral], (engine.name, own)


def test_the_chart_asks_every_engine_for_its_health_where_it_tells_it() -> None:
    template = (ROOT / "charts/llm/templates/rollout.yaml").read_text()

    assert all(f"path: {engine.health}," in template for engine in ENGINES.values())


def test_the_setting_takes_every_engine_and_no_other() -> None:
    pattern: Any = Settings.model_fields["engine"].metadata[0]

    assert pattern.pattern == f"^({'|'.join(ENGINES)})$"
