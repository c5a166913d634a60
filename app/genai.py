"""OpenTelemetry's conventions for generative AI, as of semantic conventions 1.37: every gen_ai name stands here alone.

They are still in development and do change; none of what is taken from a request is text of its client.
"""

from typing import Any

from app.whole import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES

Attributes = dict[str, str | int | float | bool]
OPERATIONS = {CHAT: "chat", COMPLETIONS: "text_completion", EMBEDDINGS: "embeddings", RESPONSES: "chat"}
NUMBERS = {
    "n": "gen_ai.request.choice.count",
    "seed": "gen_ai.request.seed",
    "top_k": "gen_ai.request.top_k",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
}


def named(path: str, model: str) -> str:
    """What the span of one attempt is called."""
    return f"{OPERATIONS[path]} {model}"


def asked(path: str, document: dict[str, Any], model: str, engine: str) -> Attributes:
    """What was asked of a model; `model` is the gateway's word for it, never a client's."""
    found: Attributes = {
        "gen_ai.operation.name": OPERATIONS[path],
        "gen_ai.provider.name": engine,
        "gen_ai.request.model": model,
        "gen_ai.request.stream": document.get("stream") is True,
    }
    for name, attribute in NUMBERS.items():
        value = document.get(name)
        if isinstance(value, int | float) and abs(value) < 2**63:  # OTLP's integers have 64 bits
            found[attribute] = value
    return found


def answered(tokens: dict[str, int], first: float | None) -> Attributes:
    """What came back: tokens by direction, and the seconds until the first of them."""
    names = {"in": "gen_ai.usage.input_tokens", "out": "gen_ai.usage.output_tokens"}
    found: Attributes = {names[direction]: number for direction, number in tokens.items()}
    if first is not None:
        found["gen_ai.response.time_to_first_chunk"] = first
    return found
