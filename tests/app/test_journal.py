import asyncio
import json
import time
from typing import Any

import pytest

from app import journal
from app.feedback import user_hash
from app.journal import Entry, Journal

CHAT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "hello"}]}
TRACE = "0af7651916cd43dd8448eb211c80319c"


async def lines(door: Any, capfd: pytest.CaptureFixture[str], number: int = 1) -> list[dict[str, Any]]:
    """What the log says of requests, once it says so much."""
    said = ""
    async with asyncio.timeout(10):
        while said.count('"event": "request"') < number:
            await asyncio.sleep(0.02)
            said += capfd.readouterr().out
    return [json.loads(line) for line in said.splitlines() if '"event": "request"' in line]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_is_one_line(door: Any, capfd: pytest.CaptureFixture[str], stream: bool) -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x_sluice_user": "ann", "x_request_id": "r-1"}
    await door.post(CHAT, {**BODY, "stream": stream}, **headers)
    await door.get("/livez")
    await door.get("/metrics")

    (line,) = await lines(door, capfd)
    assert line.pop("latency_seconds") > 0
    assert line.pop("timestamp").endswith("+00:00")
    assert (line.pop("ttft_seconds", 0) > 0) is stream
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "r-1",
        "method": "POST",
        "path": CHAT,
        "status": 200,
        "source": "user",
        "outcome": "ok",
        "trace_id": TRACE,
        "user": user_hash("ann", "sluice"),
        "version": "v0.0.0",
        "revision": "0",
        "arm": "stable",
        "step": "100",
        "stream": stream,
        "tokens_in": 3,
        "tokens_out": 2,
    }


async def test_a_line_names_the_arm_and_step_of_a_release(door: Any, canary: Any, capfd: Any) -> None:
    door.gateway.board.show(canary(100))
    await door.post(CHAT, BODY)

    (line,) = await lines(door, capfd)
    assert [line[name] for name in ("arm", "step", "version", "revision")] == ["canary", "100", "v2", "2"]


async def test_a_failure_and_a_rescue_are_told(door: Any, engine: Any, serve: Any, canary: Any, capfd: Any) -> None:
    engine.mode = "500"
    async with serve() as stable:
        arms = canary(100)
        door.gateway.board.show(type(arms)(**{**vars(arms), "stable": (stable.url,)}))
        await door.post("/predict", {"prompt": "a"})
    await door.post("/predict", {"prompt": "a"})

    first, second = await lines(door, capfd, 2)
    assert (first["status"], first["outcome"], first["rescued"]) == (200, "upstream_5xx", True)
    assert (second["status"], second["outcome"], "rescued" in second) == (502, "prompt", False)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "outcome"),
    [
        (CHAT, {**BODY, "n": 10**6}, 400, "invalid_value", "client_4xx"),
        ("/predict", {"prompt": ""}, 422, "invalid_request", "client_4xx"),
        (CHAT, {**BODY, "padding": "x" * 20_000}, 413, "body_too_large", "client_4xx"),
    ],
)
async def test_a_refusal_is_a_line_with_its_code(
    door: Any, capfd: Any, path: str, body: Any, status: int, code: str, outcome: str
) -> None:
    _, headers, _ = await door.post(path, body)

    (line,) = await lines(door, capfd)
    assert (line["status"], line["code"], line["outcome"]) == (status, code, outcome)
    assert line["request_id"] == headers["x-request-id"]


async def test_a_fault_of_our_own_is_a_line_and_counted(door: Any, capfd: Any) -> None:
    door.gateway.slots = None
    status, _, _ = await door.post(CHAT, BODY)

    (line,) = await lines(door, capfd)
    assert (status, line["status"], line["path"], "outcome" in line) == (500, 500, CHAT, False)
    assert door.count("http_requests_total", handler=CHAT, status="500") == 1


async def test_other_requests_are_lines_by_their_route(door: Any, capfd: Any) -> None:
    await door.get("/v1/models/secret")
    await door.get("/secret")

    first, second = await lines(door, capfd, 2)
    assert (first["path"], first["status"]) == ("/v1/models/{name:path}", 404)
    assert (second["path"], second["status"]) == ("other", 404)


async def test_a_client_that_went_away_is_told_so(door: Any, engine: Any, capfd: Any) -> None:
    engine.mode = "hang"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await door.post(CHAT, {**BODY, "stream": True})

    (line,) = await lines(door, capfd)
    assert (line["outcome"], line["status"], line["path"]) == ("client_cancel", 0, CHAT)


async def test_the_last_lines_are_written_when_the_gateway_ends(capsys: pytest.CaptureFixture[str]) -> None:
    log = Journal("salt")
    running = asyncio.create_task(log.run())
    await asyncio.sleep(0)
    log.add(Entry(id="last", ended=time.time()))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert json.loads(capsys.readouterr().out)["request_id"] == "last"


def test_a_log_that_nobody_reads_loses_its_oldest_lines_and_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "QUEUED", 2)
    log = Journal("salt")
    for name in ("a", "b", "c"):
        log.add(Entry(id=name, ended=time.time()))
    log.flush()

    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one.get("request_id", one.get("lines")) for one in said] == ["b", "c", 1]


def test_switched_off_nothing_is_kept() -> None:
    log = Journal("salt", on=False)
    log.add(Entry(id="a", ended=time.time()))

    assert not log.waiting
