"""A real OpenTelemetry Collector of the test's own, which passes what it took on to the test as JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from lab import paths
from model.running import free_port

PROGRAM = paths.BIN / "otelcol"
KINDS = {2: "server", 3: "client"}


@dataclass
class Span:
    trace: str
    id: str
    parent: str
    name: str
    kind: str
    error: bool
    service: str
    about: dict[str, Any]


@dataclass
class Collector:
    port: int
    spans: list[Span] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # all that came, as it came

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def take(self, request: web.Request) -> web.Response:
        self.texts.append(await request.text())
        for resource in json.loads(self.texts[-1])["resourceSpans"]:
            service = plain(resource["resource"]["attributes"]).get("service.name", "")
            for scope in resource["scopeSpans"]:
                self.spans += [span(one, service) for one in scope["spans"]]
        return web.json_response({})

    async def has(self, number: int) -> list[Span]:
        """The spans, once there are so many."""
        async with asyncio.timeout(15):
            while len(self.spans) < number:
                await asyncio.sleep(0.02)
        return self.spans


def span(one: dict[str, Any], service: str) -> Span:
    error = one.get("status", {}).get("code") == 2
    kind = KINDS.get(one["kind"], "other")
    about = plain(one.get("attributes", []))
    return Span(one["traceId"], one["spanId"], one.get("parentSpanId", ""), one["name"], kind, error, service, about)


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Names and values; OTLP's JSON has whole numbers as texts."""
    found = {}
    for one in attributes:
        kind, value = next(iter(one["value"].items()))
        found[one["key"]] = int(value) if kind == "intValue" else value
    return found


@asynccontextmanager
async def collecting(port: int | None = None) -> AsyncIterator[Collector]:
    one = Collector(port or free_port())
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/traces", one.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "--config", f"yaml:{config(one.port, runner.addresses[0][1])}", stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr
        said = b""
        while b"Everything is ready" not in said:
            said = await asyncio.wait_for(process.stderr.readline(), 20)
            assert said, "the collector did not start"
        yield one
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
        await runner.cleanup()


def config(port: int, target: int) -> str:
    return json.dumps(
        {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
            "exporters": {
                "otlp_http": {
                    "endpoint": f"http://127.0.0.1:{target}",
                    "encoding": "json",
                    "compression": "none",
                    "tls": {"insecure": True},
                    "sending_queue": {"enabled": False},
                }
            },
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_http"]}},
            },
        }
    )
