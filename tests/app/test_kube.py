"""A scripted API server over HTTP: it lists, it watches, it goes away and comes back."""

import asyncio
import base64
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from app.kube import Access, Watch, from_kubeconfig


def thing(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": "1"}, **more}


class Api:
    def __init__(self) -> None:
        self.items = [thing("a")]
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.lists, self.away = 0, False
        self.tokens: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("authorization", ""))
        if self.away:
            return web.Response(status=503)
        if "watch" not in request.query:
            self.lists += 1
            return web.json_response({"items": self.items, "metadata": {"resourceVersion": "5"}})
        reply = web.StreamResponse()
        await reply.prepare(request)
        while (event := await self.events.get()) is not None:
            await reply.write(json.dumps(event).encode() + b"\n")
        return reply


@pytest.fixture
async def api() -> AsyncIterator[tuple[Api, str]]:
    one, app = Api(), web.Application()
    app.router.add_get("/{path:.*}", one.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield one, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def seen(api: tuple[Api, str]) -> AsyncIterator[list[set[str]]]:
    views: list[set[str]] = []
    watch = Watch(Access(api[1], token="t"), "/things", {"labelSelector": "x"}, lambda all_: views.append(set(all_)))
    running = asyncio.create_task(watch.run())
    yield views
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_changes_arrive_as_they_happen(api: Any, seen: list[set[str]]) -> None:
    for kind, name in (("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a")):
        api[0].events.put_nowait({"type": kind, "object": thing(name)})

    await until(lambda: len(seen) == 4)
    assert seen == [{"a"}, {"a", "b"}, {"a", "b"}, {"b"}]
    assert set(api[0].tokens) == {"Bearer t"}


async def test_while_the_api_is_away_the_last_view_is_kept(api: Any, seen: list[set[str]]) -> None:
    await until(lambda: seen == [{"a"}])
    api[0].away = True
    api[0].events.put_nowait(None)
    await until(lambda: len(api[0].tokens) >= 4)
    assert seen == [{"a"}]

    api[0].items, api[0].away = [thing("c")], False
    await until(lambda: seen[-1] == {"c"})


async def test_a_version_too_old_is_listed_anew(api: Any, seen: list[set[str]]) -> None:
    await until(lambda: api[0].lists == 1)
    api[0].events.put_nowait({"type": "ERROR", "object": {"code": 410}})

    await until(lambda: api[0].lists == 2)


async def test_an_object_larger_than_a_usual_line_is_read(api: Any, seen: list[set[str]]) -> None:
    api[0].events.put_nowait({"type": "ADDED", "object": thing("big", filler="x" * 1_000_000)})

    await until(lambda: seen[-1] == {"a", "big"} if seen else False)


def test_access_is_read_from_a_kubeconfig(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://api:6443'}}]\nusers: [{name: u, user: {token: secret}}]\n"
    )

    assert from_kubeconfig(file).headers == {"authorization": "Bearer secret"}
    assert from_kubeconfig(file).server == "https://api:6443"


def test_a_rotated_token_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    access = Access("https://api", file)
    assert access.headers["authorization"] == "Bearer one"

    file.write_text("two\n")
    assert access.headers["authorization"] == "Bearer two"


def test_embedded_certificates_of_a_kubeconfig_are_used(tmp_path: Path) -> None:
    key, made = tmp_path / "key.pem", tmp_path / "made.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=k"]
    subprocess.run(["openssl", "req", "-x509", *curve, "-keyout", key, "-out", made], check=True, capture_output=True)
    text, private = (base64.b64encode(one.read_bytes()).decode() for one in (made, key))
    file = tmp_path / "config"
    file.write_text(
        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
        f"clusters: [{{name: k, cluster: {{server: 'https://api:6443', certificate-authority-data: {text}}}}}]\n"
        f"users: [{{name: u, user: {{client-certificate-data: {text}, client-key-data: {private}}}}}]\n"
    )
    access = from_kubeconfig(file)

    assert isinstance(access.tls, ssl.SSLContext)
    assert len(access.tls.get_ca_certs()) == 1
    assert access.certificate is not None
    assert [one.stat().st_mode & 0o77 for one in access.certificate] == [0, 0]
