from typing import Any

import pytest

from app import question
from app.question import Question

USER, BOT = {"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}
JSON = {"type": "json_object"}


@pytest.mark.parametrize(
    ("document", "understood"),
    [
        ({"prompt": "one"}, Question("one")),
        ({"prompt": [1, 2]}, Question()),
        ({"prompt": ["one", "two"]}, Question()),
        ({"messages": [USER, BOT]}, Question("one")),
        (
            {"messages": [USER, BOT, {"role": "user", "content": [{"type": "text", "text": "three"}, 4]}]},
            Question("three"),
        ),
        ({"messages": [BOT, 5]}, Question()),
        ({"messages": 7, "response_format": "json"}, Question()),
        ({"input": "one", "text": {"format": {"type": "json_schema"}}}, Question("one", "json_schema")),
        ({"input": [USER]}, Question("one")),
        ({"messages": [USER], "response_format": JSON}, Question("one", "json_object")),
        ({"messages": [USER], "response_format": {"type": "text"}}, Question("one")),
        ({"messages": [USER], "text": 5, "response_format": None}, Question("one")),
    ],
)
def test_what_a_request_says_of_its_answer(document: dict[str, Any], understood: Question) -> None:
    assert question.understood(document) == understood


def test_of_a_long_question_its_end_is_kept() -> None:
    assert question.understood({"prompt": "a" * 5000 + "b"}).text == "a" * (question.KEPT - 1) + "b"
