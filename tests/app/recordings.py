"""What engines send, in the shapes that their sources make; the texts are ours.

SGLang: python/sglang/srt/entrypoints/openai/{serving_completions,serving_base,protocol}.py at
004c82e07d876f6e4a0ad6e15325706b0f478f1a, its chat in serving_chat.py at 002897c23becbd522d88b8115a763a21765f978a and
sse_utils.py at 0671305890f954d76e23532a5adf66f350cb8baf. LMDeploy: lmdeploy/serve/openai/chat_completions/serving.py
and errors.py at 1e84c6e6d0287cb5a27a962056ccc3bfe82fca34 and 24e7fe213ffeaf9e1d783670e600193a7adf0daa. Metrics:
sglang's metrics_collector.py; lmdeploy/metrics/loggers.py at 0168eedaef9497414956cb20c2ad0f443de6c248.
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


def packed(document: dict[str, Any]) -> bytes:
    """As SGLang's chat writes JSON: without spaces."""
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def chat(reason: str | None = None, **delta: Any) -> bytes:
    """Of a delta only what it brings is written, and of the last one nothing."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason, "matched_stop": None}
    return packed({"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def called(arguments: str, name: str | None = None) -> bytes:
    """A piece of a tool's call: of the first one alone it has an id and a name; what is not there is null."""
    call = {"id": name and "call_1", "index": 0, "type": "function"}
    call |= {"function": {"name": name, "arguments": arguments}}
    return chat(role=None, content=None, reasoning_content=None, tool_calls=[call])


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
ROLE = chat(role="assistant", content="")
SPOKEN = ROLE + chat(content="two ")
COUNTED = packed({"id": "a", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
STREAMS: dict[str, Recording] = {
    "sglang good": ("sglang", BEGUN[0] + sglang("words", "stop") + usage(total_tokens=5) + DONE, "ok"),
    "sglang full": ("sglang", BEGUN[0] + sglang("words", "length") + usage(total_tokens=5) + DONE, "ok"),
    "sglang gave up": ("sglang", BEGUN[0] + sglang("", "abort") + usage(total_tokens=5) + DONE, "engine_abort"),
    "sglang broke": ("sglang", BEGUN[0] + frame({"error": EVENT}) + DONE, "stream_error"),
    "sglang was cut": ("sglang", BEGUN[0], "stream_truncated"),
    "sglang's chat": ("sglang", SPOKEN + chat(content="words") + chat("stop") + COUNTED + DONE, "ok"),
    "sglang's chat thinks": (
        "sglang",
        ROLE + chat(reasoning_content="well") + chat(content="two words") + chat("stop") + COUNTED + DONE,
        "ok",
    ),
    "sglang's chat was cut in thought": ("sglang", ROLE + chat(reasoning_content="well"), "stream_truncated"),
    "sglang's chat calls": (
        "sglang",
        ROLE + called("", "find") + called('{"town": ') + called('"x"}') + chat("tool_calls") + COUNTED + DONE,
        "ok",
    ),
    "sglang's chat gave up": ("sglang", SPOKEN + chat("abort") + COUNTED + DONE, "engine_abort"),
    "sglang's chat broke": ("sglang", SPOKEN + packed({"error": EVENT}) + COUNTED + DONE, "stream_error"),
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
CALL = {"id": "call_1", "index": 0, "type": "function", "function": {"name": "find", "arguments": "{}"}}
WHOLE["sglang calls"] = (
    "sglang",
    packed(
        {
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "", "reasoning_content": "well", "tool_calls": [CALL]},
                    "finish_reason": "tool_calls",
                    "matched_stop": None,
                }
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            "metadata": {"weight_version": "default"},
        }
    ).removeprefix(b"data: "),
    "ok",
)


def path(content: bytes) -> str:
    """The endpoint that answers so."""
    return "/v1/completions" if b'"text_completion"' in content else "/v1/chat/completions"
