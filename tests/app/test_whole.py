import json
from typing import Any

import pytest

from app import whole
from app.said import Said

TEXT = {"choices": [{"text": "a", "finish_reason": "stop"}], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}
CALL = {"choices": [{"message": {"content": None, "tool_calls": [{"id": "a"}]}, "finish_reason": "tool_calls"}]}
VECTOR = {"data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 2}}
RESPONSE = {"status": "completed", "output": [{"content": [{"type": "output_text", "text": "a"}]}]}


def judged(path: str, document: Any) -> whole.Whole:
    return whole.judged(path, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("path", "document", "tokens", "said"),
    [
        (whole.COMPLETIONS, TEXT, {"in": 2, "out": 1}, Said([[b"a"]])),
        (whole.CHAT, CALL, {"in": 0, "out": 0}, None),
        (whole.EMBEDDINGS, VECTOR, {"in": 2, "out": 0}, None),
        (
            whole.RESPONSES,
            {**RESPONSE, "usage": {"input_tokens": 3, "output_tokens": 4}},
            {"in": 3, "out": 4},
            Said([[b"a"]]),
        ),
    ],
)
def test_good_answers_are_read_for_tokens_and_text(path: str, document: Any, tokens: Any, said: Any) -> None:
    assert judged(path, document) == whole.Whole("ok", tokens, said)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (whole.CHAT, {"choices": []}),
        (whole.CHAT, {"choices": None}),
        (whole.CHAT, {"choices": ["x"]}),
        (whole.CHAT, {"choices": [{}]}),
        (whole.CHAT, 5),
        (whole.CHAT, {"usage": "x", **CALL} | {"usage": "x"}),
        (whole.EMBEDDINGS, {"data": []}),
        (whole.EMBEDDINGS, {"data": [{"embedding": []}]}),
        (whole.RESPONSES, {"status": "failed", "output": []}),
        (whole.RESPONSES, {"output": []}),
    ],
)
def test_an_answer_of_another_shape_is_the_engines_failure(path: str, document: Any) -> None:
    assert judged(path, document).outcome == "stream_error"


def test_an_abort_is_one() -> None:
    assert judged(whole.CHAT, {"choices": [{"message": {}, "text": "", "finish_reason": "abort"}]}) == whole.Whole(
        "engine_abort"
    )
    assert whole.judged(whole.CHAT, b"<html>").outcome == "stream_error"


def test_an_answer_that_ended_at_its_length_is_short() -> None:
    cut = {"choices": [{"text": "a", "finish_reason": "length"}]}

    assert judged(whole.COMPLETIONS, cut).said == Said([[b"a"]], short=True)
    assert judged(whole.RESPONSES, {**RESPONSE, "status": "incomplete"}).said == Said([[b"a"]], short=True)
