import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.traces import NO_TRACE, Trace, Traces
from model.running import free_port
from tests.app.collector import PROGRAM, Collector, collecting
from tests.app.conftest import Door, opened

CHAT = "/v1/chat/completions"
TRACE, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CLIENT}-01"
BODY = {"messages": [{"role": "user", "content": "hello"}], "stream": True, "temperature": 0.5, "max_tokens": 7}
collected = pytest.mark.skipif(not Path(PROGRAM).exists(), reason="make test builds the collector")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as one:
        yield one


@pytest.fixture
async def traced(collector: Collector, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr("app.traces.EVERY_SECONDS", 0.05)
    async with opened(settings.model_copy(update={"otlp_endpoint": collector.url})) as found:
        yield found


@collected
async def test_a_request_is_traced_from_the_client_to_the_engine(
    traced: Door, engine: Any, collector: Collector
) -> None:
    await traced.post(CHAT, BODY, traceparent=PARENT, x_request_id="r-1", x_sluice_user="ann")

    attempt, request = sorted(await collector.has(2), key=lambda one: one.kind)
    assert (request.name, request.kind, request.parent, request.error) == (f"POST {CHAT}", "server", CLIENT, False)
    assert (attempt.name, attempt.kind, attempt.parent, attempt.error) == ("chat tiny", "client", request.id, False)
    assert {request.trace, attempt.trace} == {TRACE}
    assert engine.headers[0]["traceparent"] == f"00-{TRACE}-{attempt.id}-01"
    assert request.service == "sluice-gateway"
    assert request.about.items() >= {"sluice.outcome": "ok", "sluice.request_id": "r-1", "sluice.arm": "stable"}.items()
    assert "ann" not in str(collector.texts)


@collected
async def test_an_attempt_says_what_was_asked_and_answered_by_the_genai_conventions(
    traced: Door, collector: Collector
) -> None:
    await traced.post(CHAT, BODY)

    attempt = min(await collector.has(2), key=lambda one: one.kind)
    assert attempt.about.pop("gen_ai.response.time_to_first_chunk") > 0
    assert attempt.about.pop("server.port") > 0
    assert attempt.about == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "tiny",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 2,
        "server.address": "127.0.0.1",
        "sluice.arm": "stable",
        "sluice.attempt": 1,
        "sluice.outcome": "ok",
    }


@collected
@pytest.mark.parametrize("mode", ["500", "role_then_cut"])
async def test_a_rescue_is_a_second_attempt(
    traced: Door, collector: Collector, engine: Any, serve: Any, canary: Any, mode: str
) -> None:
    engine.mode = mode
    async with serve() as stable:
        arms = canary(100)
        traced.gateway.board.show(type(arms)(**{**vars(arms), "stable": (stable.url,)}))
        status, _, _ = await traced.post(CHAT, BODY)

    assert status == 200
    spans = await collector.has(3)
    tries = sorted((one for one in spans if one.kind == "client"), key=lambda one: one.about["sluice.attempt"])
    failure = {"500": "upstream_5xx", "role_then_cut": "stream_truncated"}[mode]
    assert [(one.about["sluice.arm"], one.about["sluice.outcome"], one.error) for one in tries] == [
        ("canary", failure, True),
        ("stable", "ok", False),
    ]
    request = next(one for one in spans if one.kind == "server")
    assert (request.about["sluice.outcome"], request.about["sluice.rescued"], request.error) == (failure, True, True)
    assert {one.parent for one in tries} == {request.id}


@collected
async def test_a_stream_of_any_length_is_two_spans(traced: Door, collector: Collector) -> None:
    await traced.post(CHAT, BODY)
    await traced.post("/v1/completions", {"prompt": "a"})
    await collector.has(4)
    await traced.gateway.traces.aclose()

    assert len(collector.spans) == 4


@collected
async def test_a_refusal_is_traced_without_an_attempt(traced: Door, collector: Collector) -> None:
    await traced.post(CHAT, {**BODY, "n": 10**6})

    (request,) = await collector.has(1)
    assert request.about["sluice.code"] == "invalid_value"
    assert (request.about["http.response.status_code"], request.error) == (400, False)


@collected
async def test_a_client_that_has_not_sampled_its_trace_gets_no_spans(traced: Door, engine: Any, collector: Any) -> None:
    await traced.post(CHAT, BODY, traceparent=PARENT[:-1] + "0")
    await traced.post(CHAT, BODY)

    assert {one.trace for one in await collector.has(2)} != {TRACE}
    assert TRACE not in {one.trace for one in collector.spans}
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-00", engine.headers[0]["traceparent"])


async def test_a_collector_that_is_away_is_noticed_by_no_user(settings: Settings) -> None:
    away = settings.model_copy(update={"otlp_endpoint": f"http://127.0.0.1:{free_port()}"})
    async with opened(away) as door:
        status, _, _ = await door.post(CHAT, BODY)

    assert (status, door.outcomes()) == (200, {"ok": 1})


async def test_without_a_collector_the_clients_trace_goes_on_to_the_engine(door: Any, engine: Any) -> None:
    await door.post(CHAT, BODY, traceparent=PARENT, tracestate="vendor=text", baggage="text=1")
    await door.post(CHAT, BODY)

    assert engine.headers[0]["traceparent"] == PARENT
    assert not {"tracestate", "baggage"} & {name.lower() for name in engine.headers[0]}
    assert "traceparent" not in engine.headers[1]


@pytest.mark.parametrize("header", ["", "hello", PARENT + "-x", PARENT.upper(), f"00-{'0' * 32}-{CLIENT}-01"])
def test_what_is_no_traceparent_is_dropped(header: str) -> None:
    assert Trace(header).header == ""


def test_without_an_endpoint_nothing_is_made() -> None:
    traces = Traces(Settings())

    assert (traces.provider, traces.begin("")) == (None, NO_TRACE)
