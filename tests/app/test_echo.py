import json
import time
from typing import Any

import pytest

from app.echo import MOST, unquoted

PROMPT = "tell me about the village of Anderweil and its bridge"


def asked(**more: Any) -> bytes:
    messages = [{"role": "user", "content": PROMPT}]
    return json.dumps({"model": "tiny-model-of-ours", "messages": messages, **more}).encode()


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("This model's maximum context length is 512 tokens.", "This model's maximum context length is 512 tokens."),
        ("The model `tiny-model-of-ours` has no template", "The model `tiny-model-of-ours` has no template"),
        (f"invalid input: '{PROMPT}'", "invalid input: '…'"),
        (f"bad: {PROMPT[8:40]} (cut)", "bad:… (cut)"),
        ("'stop' was ###END", "'stop' was …"),
        ("unknown field a-field-of-the-clients-own", "unknown field …"),
    ],
)
def test_only_what_the_engine_says_itself_is_left(message: str, left: str) -> None:
    body = asked(stop=["###END"], **{"a-field-of-the-clients-own": 1})

    assert unquoted(message, body) == left


@pytest.mark.parametrize("start", range(len(PROMPT) - 15))
def test_wherever_a_quotation_begins_it_is_found(start: int) -> None:
    assert PROMPT[start : start + 15] not in unquoted(f"{start} {PROMPT[start : start + 15]}", asked())


def test_a_long_prompt_costs_little() -> None:
    began = time.process_time()
    said = unquoted("no " + "ab" * 1000, asked(prompt="a" * 1_000_000))

    assert len(said) == MOST
    assert time.process_time() - began < 1
