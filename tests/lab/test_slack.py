import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from lab import slack

Client = TestClient[Any, Any]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with TestClient(TestServer(slack.create_app(tmp_path / "slack.jsonl"))) as client:
        yield client


async def texts(client: Client) -> list[str]:
    return [message["text"] for message in await (await client.get("/messages")).json()]


async def test_an_incoming_webhook_is_answered_ok_and_kept(client: Client, tmp_path: Path) -> None:
    reply = await client.post("/services/T0/B0/secret", json={"text": "canary aborted", "channel": "#releases"})
    assert (reply.status, await reply.text()) == (200, "ok")
    kept = json.loads((tmp_path / "slack.jsonl").read_text())
    assert (kept["text"], kept["channel"], kept["via"]) == ("canary aborted", "#releases", "webhook")
    assert await texts(client) == ["canary aborted"]


async def test_what_alertmanager_sends_is_readable(client: Client) -> None:
    alert = {"title": "[FIRING:1] LlmHighErrorRate", "text": "12 % of requests", "fallback": "x", "fields": []}
    await client.post("/services/x", json={"channel": "#alerts", "username": "am", "attachments": [alert]})
    assert await texts(client) == ["[FIRING:1] LlmHighErrorRate\n12 % of requests"]


@pytest.mark.parametrize("kind", ["data", "json"])
async def test_a_posted_message_is_answered_with_channel_and_ts(client: Client, kind: str) -> None:
    fields = {"channel": "releases", "text": "v1.1.0 已上线", "token": "secret-token"}
    answer = await (await client.post("/api/chat.postMessage", **{kind: fields})).json()
    assert (answer["ok"], answer["channel"]) == (True, "releases")
    kept = (await (await client.get("/messages")).json())[0]
    assert (kept["ts"], kept["text"]) == (answer["ts"], "v1.1.0 已上线")
    assert "secret-token" not in json.dumps(kept)


async def test_attachments_inside_a_form_are_read(client: Client) -> None:
    attachments = json.dumps([{"title": "llm-engine", "fields": [{"title": "step", "value": "5 %"}]}])
    await client.post("/api/chat.postMessage", data={"channel": "r", "text": "aborted", "attachments": attachments})
    assert await texts(client) == ["aborted\nllm-engine\nstep: 5 %"]


async def test_an_update_names_the_message_it_changes(client: Client) -> None:
    first = await (await client.post("/api/chat.postMessage", data={"channel": "r", "text": "at 5 %"})).json()
    update = {"channel": "r", "text": "at 25 %", "ts": first["ts"]}
    answer = await (await client.post("/api/chat.update", data=update)).json()
    assert (answer["ok"], answer["ts"]) == (True, first["ts"])
    assert (await (await client.get("/messages")).json())[1]["updates"] == first["ts"]


async def test_each_message_has_a_ts_of_its_own(client: Client) -> None:
    sent = [await client.post("/api/chat.postMessage", data={"channel": "r", "text": str(i)}) for i in range(20)]
    assert len({(await reply.json())["ts"] for reply in sent}) == 20


@pytest.mark.parametrize("method", ["auth.test", "users.lookupByEmail", "conversations.list", "usergroups.list"])
async def test_what_clients_look_up_first_is_there(client: Client, method: str) -> None:
    assert (await (await client.post(f"/api/{method}", data={"token": "t"})).json())["ok"] is True
    assert (await (await client.get(f"/api/{method}")).json())["ok"] is True


async def test_what_slack_refuses_is_refused_in_its_words(client: Client) -> None:
    for fields, error in (({"text": "no channel"}, "channel_not_found"), ({"channel": "r"}, "no_text")):
        answer = await (await client.post("/api/chat.postMessage", data=fields)).json()
        assert answer == {"ok": False, "error": error}
    assert (await (await client.post("/api/files.upload")).json())["error"] == "unknown_method"
    assert (await client.post("/services/x", data=b"{", headers={"content-type": "application/json"})).status == 400
    assert await texts(client) == []


async def test_a_body_above_the_limit_is_refused_and_not_kept(client: Client) -> None:
    reply = await client.post("/services/x", json={"text": "x" * (slack.MAX_BODY + 1)})
    assert reply.status == 413
    assert await texts(client) == []


async def test_messages_are_still_there_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        async with TestClient(TestServer(slack.create_app(tmp_path / "slack.jsonl"))) as client:
            await client.post("/services/x", json={"text": "kept"})
            last = await texts(client)
    assert last == ["kept", "kept"]


async def test_the_page_shows_messages_and_runs_none_of_them(client: Client) -> None:
    await client.post("/services/x", json={"text": "<script>alert(1)</script>"})
    reply: aiohttp.ClientResponse = await client.get("/")
    assert reply.content_type == "text/html"
    assert "&lt;script&gt;alert(1)" in await reply.text()
