"""What engines send, in the shapes that their sources make; the texts are ours.

SGLang: python/sglang/srt/entrypoints/openai/{serving_completions,serving_base}.py at
004c82e07d876f6e4a0ad6e15325706b0f478f1a. LMDeploy: lmdeploy/serve/openai/chat_completions/serving.py and errors.py at
1e84c6e6d0287cb5a27a962056ccc3bfe82fca34 and 24e7fe213ffeaf9e1d783670e600193a7adf0daa. Metrics: sglang's
metrics_collector.py; lmdeploy/metrics/loggers.py at 0168eedaef9497414956cb20c2ad0f443de6c248.
"""

import json
from typing import Any

DONE = b"data: [DONE]\n\n"
Recording = tuple[str, bytes, str]  # engine, stream, outcome


def frame(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def sglang(text: str, reason: str | None = None) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason, "matched_stop": None}
    return frame(
        {"id": "a", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": None}
    )


def lmdeploy(text: str, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}}
    choice |= {"finish_reason": reason} if reason else {}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return frame({**chunk, "usage": None})


def usage(**more: Any) -> bytes:
    return frame({"id": "1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, **more}})


FLAT = {"object": "error", "message": "Prompt cannot be empty", "type": "BadRequestError", "param": None, "code": 400}
EVENT = {"object": "error", "message": "no memory", "type": "INTERNAL_SERVER_ERROR", "param": None, "code": 500}
BEGUN = sglang("two "), lmdeploy("two ")
STREAMS: dict[str, Recording] = {
    "sglang good": ("sglang", BEGUN[0] + sglang("words", "stop") + usage(total_tokens=5) + DONE, "ok"),
    "sglang full": ("sglang", BEGUN[0] + sglang("words", "length") + usage(total_tokens=5) + DONE, "ok"),
    "sglang gave up": ("sglang", BEGUN[0] + sglang("", "abort") + usage(total_tokens=5) + DONE, "engine_abort"),
    "sglang broke": ("sglang", BEGUN[0] + frame({"error": EVENT}) + DONE, "stream_error"),
    "sglang was cut": ("sglang", BEGUN[0], "stream_truncated"),
    "lmdeploy good": ("lmdeploy", BEGUN[1] + lmdeploy("words", "stop") + usage(total_tokens=5) + DONE, "ok"),
    "lmdeploy gave up": ("lmdeploy", BEGUN[1] + lmdeploy("", "abort") + usage() + DONE, "engine_abort"),
    "lmdeploy broke": (
        "lmdeploy",
        BEGUN[1] + lmdeploy("internal error happened, status code 4", "error") + usage() + DONE,
        "stream_error",
    ),
    "lmdeploy refused late": ("lmdeploy", BEGUN[1] + frame({"error": EVENT}) + DONE, "stream_error"),
    "lmdeploy was cut": ("lmdeploy", BEGUN[1], "stream_truncated"),
}
WHOLE: dict[str, Recording] = {
    f"{engine} {reason}": (
        engine,
        json.dumps(
            {
                "object": "chat.completion",
                "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": "two words"}, "finish_reason": reason}
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            }
        ).encode(),
        outcome,
    )
    for engine, reason, outcome in (
        ("sglang", "stop", "ok"),
        ("sglang", "abort", "engine_abort"),
        ("lmdeploy", "tool_calls", "ok"),
        ("lmdeploy", "error", "stream_error"),
        ("lmdeploy", "abort", "engine_abort"),
        ("vllm", "error", "stream_error"),
    )
}
