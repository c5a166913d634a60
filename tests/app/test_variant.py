from typing import Any

import pytest

from app.prompts import Prompt
from app.variant import UNCHANGED, Change
from app.whole import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES

CHANGE = Change.model_validate({"model": "m", "parameters": {"temperature": 0, "top_k": 5}})


@pytest.mark.parametrize(
    ("path", "added"),
    [
        (CHAT, {"model": "m", "temperature": 0, "top_k": 5}),
        (COMPLETIONS, {"model": "m", "temperature": 0, "top_k": 5}),
        (RESPONSES, {"model": "m", "temperature": 0}),
        (EMBEDDINGS, {"model": "m"}),
    ],
)
def test_each_endpoint_gets_what_its_api_knows(path: str, added: dict[str, Any]) -> None:
    assert CHANGE.applied({"input": 1}, path) == {"input": 1, **added}


def test_what_the_client_says_stands_and_null_says_nothing() -> None:
    changed = CHANGE.applied({"temperature": 1, "top_k": None}, CHAT)

    assert (changed["temperature"], changed["top_k"]) == (1, 5)


def test_a_prompt_is_put_around_the_client_s() -> None:
    change = Change(text=Prompt(template="<{prompt}>"))

    assert change.applied({"prompt": "a"}, COMPLETIONS) == {"prompt": "<a>"}


def test_a_request_that_is_not_changed_is_the_same() -> None:
    document: dict[str, Any] = {"prompt": "a"}

    assert UNCHANGED.applied(document, COMPLETIONS) is document
