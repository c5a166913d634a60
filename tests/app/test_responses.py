import json
from typing import Any

import openai
import pytest

from app.responses import ResponseStream


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **more}).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([event("response.incomplete", response={"usage": None})], "ok"),
        ([event("response.created")], "stream_truncated"),
        ([event("response.completed")], "stream_error"),
        ([b"data: {}\n\n"], "stream_error"),
    ],
)
def test_how_a_stream_of_events_ended(events: list[bytes], outcome: str) -> None:
    stream = ResponseStream(strip_usage=False)

    assert b"".join(stream.feed(one) for one in events) == b"".join(events)
    assert stream.outcome == outcome


@pytest.mark.parametrize(
    "broken",
    [
        event("error", message="CUDA at /opt/engine.py", sequence_number=4),
        event("response.failed", response={"error": {"message": "CUDA at /opt/engine.py"}}, sequence_number=4),
        event("other", error={"message": "CUDA at /opt/engine.py"}, sequence_number=4),
    ],
)
def test_an_engines_failure_is_told_in_our_words_and_that_apis_shape(broken: bytes) -> None:
    stream = ResponseStream(strip_usage=False)
    out = stream.feed(event("response.created", sequence_number=3) + broken)

    assert stream.outcome == "stream_error"
    assert b"CUDA" not in out
    name, data = out.split(b"\n\n")[1].split(b"\n")
    said = json.loads(data.removeprefix(b"data: "))
    assert (name, said["type"], said["code"], said["param"]) == (b"event: error", "error", "stream_error", None)
    assert said["sequence_number"] == 4


@pytest.mark.parametrize(("mode", "outcome"), [("good", "ok"), ("failed", "stream_error")])
async def test_responses_are_streamed_by_their_own_events(door: Any, engine: Any, mode: str, outcome: str) -> None:
    engine.mode = mode
    status, _, body = await door.post("/v1/responses", {"model": "tiny", "input": "hello", "stream": True})

    assert (status, b"event: response.output_text.delta" in body) == (200, True)
    assert "stream_options" not in engine.asked[0]
    assert door.outcomes() == {outcome: 1}
    assert door.count("sluice_tokens_total", direction="out") == (2 if outcome == "ok" else 0)


@pytest.mark.parametrize(
    ("idle", "drains", "code", "outcome"),
    [(0.1, False, "timeout_idle", "timeout_idle"), (30, True, "shutting_down", "rejected")],
)
async def test_our_own_fault_within_a_stream_has_that_apis_shape(
    door: Any, engine: Any, idle: float, drains: bool, code: str, outcome: str
) -> None:
    engine.mode = "stall"
    door.gateway.settings.idle_seconds = idle
    client = openai.AsyncOpenAI(base_url=door.url + "/v1", api_key="any", max_retries=0)
    events = []
    async with client, await client.responses.create(model="tiny", input="hello", stream=True) as stream:
        async for event in stream:
            events.append(event)
            if drains and event.type == "response.output_text.delta":
                door.gateway.close()

    last = events[-1]
    assert [one.type for one in events] == ["response.created", "response.output_text.delta", "error"]
    assert isinstance(last, openai.types.responses.ResponseErrorEvent)
    assert (last.code, last.param, last.sequence_number) == (code, None, 2)
    assert door.outcomes() == {outcome: 1}
