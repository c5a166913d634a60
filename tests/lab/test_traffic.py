import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.arms import place
from app.settings import Settings
from lab import engine, fault, traffic
from lab.errors import Refused
from lab.scenario import load

SCENARIOS = Path(__file__).parents[1] / "e2e/scenarios"

ARM = {"x-sluice-arm": "canary", "x-sluice-step": "5", "x-sluice-version": "v1.1.0"}


@pytest.fixture
async def real() -> AsyncIterator[TestServer]:
    async with TestServer(engine.create_app(engine.Settings(ttft_ms=1, itl_ms=1))) as server:
        yield server


def records_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


async def seen_by_users(
    server: TestServer, out: Path, wanted: int = 10, **given: Any
) -> tuple[list[dict[str, Any]], traffic.Summary]:
    """Records of at least so many requests, however slow the machine is."""
    users = traffic.Traffic(str(server.make_url("/")), 100, out=out, model="sluice-tiny", **given)
    await users.start()
    async with asyncio.timeout(60):
        while users.tally.counts["total"] < wanted:
            await asyncio.sleep(0.01)
    summary = await users.stop()
    return records_of(out), summary


def answering(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> TestServer:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handle)
    return TestServer(app)


def streaming(*parts: bytes) -> TestServer:
    async def handle(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers=ARM | {"content-type": "text/event-stream"})
        await reply.prepare(request)
        for part in parts:
            await reply.write(part)
        return reply

    return answering(handle)


async def test_each_request_leaves_one_line_and_the_summary_counts_them(real: TestServer, tmp_path: Path) -> None:
    records, summary = await seen_by_users(real, tmp_path / "requests.jsonl", wanted=40)
    intended = sorted(record["intended"] for record in records)
    assert 0.5 < (intended[-1] - intended[0]) * 100 / len(records) < 2  # 100 a second was asked for
    assert (summary.total, summary.failed) == (len(records), 0)
    assert {record["outcome"] for record in records} == {"ok"}
    assert {record["stream"] for record in records} == {True, False}
    assert all(record["intended"] <= record["started"] <= record["ended"] for record in records)
    assert summary.users == len({record["user"] for record in records}) > 20


async def test_arm_step_and_version_are_what_the_gateway_said(tmp_path: Path) -> None:
    async with streaming(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n') as server:
        records, _ = await seen_by_users(server, tmp_path / "r.jsonl", stream_share=1)
    said = {(record["arm"], record["step"], record["version"], record["outcome"]) for record in records}
    assert said == {("canary", "5", "v1.1.0", "ok")}


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ((b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',), "stream_truncated"),
        ((b'data: {"error":{"message":"x"}}\n\n', b"data: [DONE]\n\n"), "stream_error"),
        ((b'data: {"choices":[{"delta":{},"finish_reason":"abort"}]}\n\n', b"data: [DONE]\n\n"), "engine_abort"),
        ((b"data: {nonsense\n\n",), "stream_truncated"),
    ],
)
async def test_a_broken_stream_is_told_apart(tmp_path: Path, parts: tuple[bytes, ...], outcome: str) -> None:
    async with streaming(*parts) as server:
        records, summary = await seen_by_users(server, tmp_path / "r.jsonl", stream_share=1)
    assert {record["outcome"] for record in records} == {outcome}
    assert (summary.failed, summary.failed_stable) == (len(records), 0)


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (503, {}, "upstream_5xx"),
        (502, {"x-sluice-outcome": "connect_error"}, "connect_error"),
        (429, {}, "rejected"),
        (400, {}, "client_4xx"),
        (400, {"x-sluice-outcome": "prompt"}, "prompt"),
    ],
)
async def test_a_refusal_is_told_apart(tmp_path: Path, status: int, headers: dict[str, str], outcome: str) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no", "code": status}}, status=status, headers=headers)

    async with answering(handle) as server:
        records, _ = await seen_by_users(server, tmp_path / "r.jsonl")
    assert {(record["status"], record["outcome"]) for record in records} == {(status, outcome)}


async def test_a_request_without_an_answer_counts_as_stable(tmp_path: Path) -> None:
    users = traffic.Traffic("http://127.0.0.1:1", 50, out=tmp_path / "r.jsonl", model="m")
    summary = await traffic.driven(users, 0.2)
    record = records_of(tmp_path / "r.jsonl")[0]
    assert (record["arm"], record["status"], record["outcome"]) == ("stable", None, "connect_error")
    assert summary.failed_stable == summary.total > 0


async def test_a_hanging_gateway_slows_no_other_user_down(real: TestServer, tmp_path: Path) -> None:
    hang = fault.plan_of('[{"do": "hang", "seconds": 60}]')
    async with TestServer(fault.create_app(str(real.make_url("/")), hang), handler_cancellation=True) as server:
        records, summary = await seen_by_users(server, tmp_path / "r.jsonl", timeout=0.5)
    assert summary.total > 5
    assert {record["outcome"] for record in records} == {"timeout_ttft"}
    ended = min(record["ended"] for record in records)
    assert sum(record["started"] < ended for record in records) > 3  # they come while the first one still hangs


async def test_waiting_before_the_start_counts_as_latency(tmp_path: Path) -> None:
    async with streaming(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n') as server:
        users = traffic.Traffic(str(server.make_url("/")), 50, out=tmp_path / "r.jsonl", model="m", stream_share=1)
        await users.start()
        await asyncio.sleep(0.1)
        time.sleep(0.3)  # noqa: ASYNC251  # the machine is busy: requests start late
        await asyncio.sleep(0.1)
        await users.stop()
    records = records_of(tmp_path / "r.jsonl")
    assert max(record["ttft"] for record in records) > 0.2


def test_the_same_seed_is_the_same_users(tmp_path: Path) -> None:
    def users(seed: int) -> list[str]:
        made = traffic.Traffic("http://127.0.0.1:1", 1, out=tmp_path / "r", model="m", seed=seed)
        return [made.drawn()[0] for _ in range(50)]

    assert users(1) == users(1) != users(2)


@pytest.mark.parametrize(
    "url", ["http://example.com", "http://10.0.0.1:80", "https://127.0.0.1", "http://0.0.0.0:1", ""]
)
def test_traffic_goes_only_to_this_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="only to this machine"):
        traffic.Traffic(url, 1, out=tmp_path / "r.jsonl", model="m")


def test_the_command_refuses_another_machine_in_one_line() -> None:
    line = [sys.executable, "-m", "lab.traffic", "--url", "http://example.com"]
    ran = subprocess.run(line, env=os.environ, capture_output=True, text=True, timeout=20)
    assert ran.returncode == Refused.code
    assert ran.stderr.count("\n") == 1


async def test_the_command_prints_one_line(real: TestServer, tmp_path: Path) -> None:
    options = ["--url", str(real.make_url("/")), "--rate", "20", "--seconds", "0.5", "--out", str(tmp_path / "r.jsonl")]
    ran = await asyncio.create_subprocess_exec(sys.executable, "-m", "lab.traffic", *options, stdout=subprocess.PIPE)
    printed, _ = await asyncio.wait_for(ran.communicate(), 20)
    assert b"0 failed" in printed
    assert printed.count(b"\n") == 1


async def test_a_troubled_user_is_one_on_the_canary_who_asks_one_thing(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((request.headers["x-sluice-user"], (await request.json())["messages"][0]["content"]))
        return web.json_response({"choices": []})

    async with answering(handle) as server:
        await seen_by_users(server, tmp_path / "requests.jsonl", 40, troubled=0.5)
    troubled = [(user, prompt) for user, prompt in asked if prompt == traffic.TROUBLE]
    assert {user for user, _ in troubled} == {traffic.troubled()}
    assert 0 < len(troubled) < len(asked)
    assert place(traffic.troubled(), Settings.model_fields["salt"].default) < 1


def test_scenarios_wait_for_what_the_troubled_user_asks() -> None:
    faults = [fault for one in load(SCENARIOS) for fault in (*one.faults, *one.stable_faults)]
    assert {fault.when.prompt for fault in faults} == {None, traffic.TROUBLE}
