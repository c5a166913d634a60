"""What engines have not in common, one small adapter for each; what they share is OpenAI's API, and relay.py.

Read in the sources of vLLM 0.32, SGLang (serving_completions.py at 004c82e, serving_chat.py at 002897c) and LMDeploy
(chat_completions/serving.py at 1e84c6e). All three stop generating when their client hangs up, which is all that
cancels a request here, and end a stream with [DONE] even when an error event came before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Engine:
    """`metrics` has its names for gauges that the recording rules make neutral, `traces` its arguments for spans."""

    name: str
    health: str  # 200 as soon as it can answer
    aborted: frozenset[str]  # reasons to finish that mean: it gave the answer up
    broken: frozenset[str]  # and: it could not go on
    metrics: Mapping[str, str]
    traces: str = ""


VLLM = Engine(
    name="vllm",
    health="/health",
    aborted=frozenset({"abort"}),
    broken=frozenset({"error"}),  # an error event in most places; beam search lets the reason through
    metrics={
        "llm:requests_running": "vllm:num_requests_running",
        "llm:requests_waiting": "vllm:num_requests_waiting",
        "llm:kv_cache_usage:ratio": "vllm:kv_cache_usage_perc",
    },
    traces="--otlp-traces-endpoint",
)
SGLANG = Engine(
    name="sglang",
    health="/health",
    aborted=frozenset({"abort"}),  # given up on request; a time-out or no memory is an error event
    broken=frozenset(),
    metrics={
        "llm:requests_running": "sglang:num_running_reqs",
        "llm:requests_waiting": "sglang:num_queue_reqs",
        "llm:kv_cache_usage:ratio": "sglang:token_usage",
    },
    traces="--enable-trace --otlp-traces-endpoint",
)
LMDEPLOY = Engine(
    name="lmdeploy",
    health="/health",
    aborted=frozenset({"abort"}),
    broken=frozenset({"error"}),  # status 200, and its message where the answer would be
    metrics={
        "llm:requests_running": "lmdeploy:num_requests_running",
        "llm:requests_waiting": "lmdeploy:num_requests_waiting",
        "llm:kv_cache_usage:ratio": "lmdeploy:gpu_cache_usage_perc",
    },
)
ENGINES = {engine.name: engine for engine in (VLLM, SGLANG, LMDEPLOY)}
