"""What Sluice relies on in an engine, asserted over HTTP; the fake engine and the real vLLM both have to pass it."""

import json
import time
from typing import Any

import httpx2

METRICS = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:inter_token_latency_seconds_bucket",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:request_success_total",
)
CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
PLAIN = {"prompt": "hello", "max_tokens": 4}


def check(url: str) -> str:
    """Assert everything below against the engine at `url`, and return the name of its model."""
    with httpx2.Client(base_url=url, timeout=60) as engine:
        model = check_models(engine)
        assert engine.get("/health").status_code == 200
        assert isinstance(engine.get("/version").json()["version"], str)
        check_chat(engine, model)
        check_completion(engine, model)
        check_chat_stream(engine, model)
        check_completion_stream(engine, model)
        check_refusals(engine, model)
        check_metrics(engine)
        check_hang_up(engine, model)
    return model


def check_models(engine: httpx2.Client) -> str:
    answer = engine.get("/v1/models").json()
    assert answer["object"] == "list"
    card = answer["data"][0]
    assert card["object"] == "model"
    assert {"id", "created", "owned_by", "root", "max_model_len"} <= set(card)
    return str(card["id"])


def check_usage(usage: dict[str, Any]) -> None:
    assert 1 <= usage["completion_tokens"] <= 4
    assert usage["prompt_tokens"] >= 1
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def check_chat(engine: httpx2.Client, model: str) -> None:
    reply = engine.post("/v1/chat/completions", json={"model": model, **CHAT}, headers={"x-request-id": "contract-1"})
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert (answer["object"], answer["model"], answer["id"]) == ("chat.completion", model, "chatcmpl-contract-1")
    choice = answer["choices"][0]
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"
    assert isinstance(choice["message"]["content"], str)
    assert choice["finish_reason"] in ("length", "stop")
    check_usage(answer["usage"])


def check_completion(engine: httpx2.Client, model: str) -> None:
    for asked in ({"model": model, **PLAIN}, PLAIN):  # without a model too: the startup probe names none
        answer = engine.post("/v1/completions", json=asked).json()
        assert (answer["object"], answer["model"]) == ("text_completion", model)
        assert isinstance(answer["choices"][0]["text"], str)
        check_usage(answer["usage"])


def frames(engine: httpx2.Client, path: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """All frames of a stream that has to end with [DONE]."""
    with engine.stream("POST", path, json={**asked, "stream": True}) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in reply.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def check_chat_stream(engine: httpx2.Client, model: str) -> None:
    asked = {"model": model, **CHAT, "stream_options": {"include_usage": True}}
    *said, last = frames(engine, "/v1/chat/completions", asked)
    assert all(frame["object"] == "chat.completion.chunk" for frame in said)
    assert said[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""} | said[0]["choices"][0]["delta"]
    assert said[-1]["choices"][0]["finish_reason"] in ("length", "stop")
    assert all(frame["choices"][0]["finish_reason"] is None for frame in said[:-1])
    assert last["choices"] == []
    check_usage(last["usage"])
    plain = frames(engine, "/v1/chat/completions", {"model": model, **CHAT})
    assert all(frame.get("usage") is None and frame["choices"] for frame in plain)  # usage only for who asks


def check_completion_stream(engine: httpx2.Client, model: str) -> None:
    *said, last = frames(
        engine, "/v1/completions", {"model": model, **PLAIN, "stream_options": {"include_usage": True}}
    )
    assert all(frame["object"] == "text_completion" for frame in said)
    assert all(isinstance(frame["choices"][0]["text"], str) for frame in said)
    assert last["choices"] == []
    check_usage(last["usage"])


def check_refusals(engine: httpx2.Client, model: str) -> None:
    for asked, status in (
        ({"model": "nobody", **CHAT}, 404),
        ({"model": model}, 400),
        ({"model": model, **CHAT, "max_tokens": 10**9}, 400),
    ):
        reply = engine.post("/v1/chat/completions", json=asked)
        assert reply.status_code == status, reply.text
        error = reply.json()["error"]
        assert isinstance(error["message"], str)
        assert error["code"] == status


def check_metrics(engine: httpx2.Client) -> None:
    reply = engine.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    missing = [name for name in METRICS if f"\n{name}{{" not in reply.text]
    assert not missing, missing


def running(engine: httpx2.Client) -> float:
    text = engine.get("/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("vllm:num_requests_running{"))


def check_hang_up(engine: httpx2.Client, model: str) -> None:
    """A caller that goes away in mid-stream frees its place."""
    asked = {"model": model, "messages": CHAT["messages"], "max_tokens": 400, "stream": True}
    with engine.stream("POST", "/v1/chat/completions", json=asked) as reply:
        next(reply.iter_lines())
    until = time.monotonic() + 10
    while running(engine) and time.monotonic() < until:
        time.sleep(0.1)
    assert running(engine) == 0
