import json
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.responses import ResponseStream
from app.said import text_of


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + json.dumps({"type": kind, **more}).encode() + b"\n\n"


ANSWER = [
    event("response.created", sequence_number=0),
    event("response.output_text.delta", delta="héllo ", output_index=0, sequence_number=1),
    event("response.output_text.delta", delta="世界", output_index=0, sequence_number=2),
    event("response.completed", response={"usage": {"input_tokens": 3, "output_tokens": 2}}, sequence_number=3),
]


@given(some.lists(some.integers(1, 60), max_size=40), some.sampled_from([b"\n", b"\r\n"]))
def test_wherever_the_bytes_are_split_the_same_comes_out(sizes: list[int], end: bytes) -> None:
    whole, out = b"".join(ANSWER).replace(b"\n", end), b""
    stream, at = ResponseStream(strip_usage=True), 0
    for size in [*sizes, len(whole)]:
        out += stream.feed(whole[at : at + size])
        at += size

    assert out + stream.rest() == whole
    assert (stream.outcome, stream.tokens, stream.number) == ("ok", {"in": 3, "out": 2}, 4)
    assert stream.said is not None
    assert text_of(stream.said.texts[0]) == "héllo 世界"


@given(some.lists(some.integers(1, 60), max_size=40))
def test_wherever_a_failure_is_split_it_is_told_once_and_numbered(sizes: list[int]) -> None:
    whole, out = b"".join(ANSWER[:2]) + event("response.failed", response={"error": "CUDA"}, sequence_number=2), b""
    stream, at = ResponseStream(strip_usage=True), 0
    for size in [*sizes, len(whole)]:
        out += stream.feed(whole[at : at + size])
        at += size

    *before, error = out.removesuffix(b"\n\n").split(b"\n\n")
    assert [one + b"\n\n" for one in before] == ANSWER[:2]
    assert json.loads(error.split(b"data: ")[1])["sequence_number"] == 2
    assert (b"CUDA" in out, stream.outcome) == (False, "stream_error")


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
