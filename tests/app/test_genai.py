import re
from pathlib import Path
from typing import Any

import pytest

from app import genai
from app.whole import CHAT, READERS


def test_the_conventions_names_stand_in_this_module_alone() -> None:
    folder = Path(genai.__file__).parent
    naming = {path.name for path in folder.rglob("*.py") if re.search("gen_ai", path.read_text(), re.IGNORECASE)}

    assert naming == {"genai.py"}


def test_every_endpoint_has_an_operation() -> None:
    assert set(genai.OPERATIONS) == set(READERS)


@pytest.mark.parametrize(
    "document",
    [
        {"messages": [{"role": "user", "content": "marker"}], "model": "marker", "user": "marker"},
        {"prompt": "marker", "stop": "marker", "temperature": "marker", "n": ["marker"], "marker": 1},
    ],
)
def test_no_text_of_a_client_becomes_an_attribute(document: dict[str, Any]) -> None:
    assert "marker" not in str(genai.asked(CHAT, document, "llm", "vllm"))


def test_numbers_are_told_under_their_conventional_names() -> None:
    found = genai.asked(CHAT, {"max_completion_tokens": 5, "top_p": 0.9, "n": 2, "seed": 10**30}, "llm", "sglang")

    assert found == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "sglang",
        "gen_ai.request.model": "llm",
        "gen_ai.request.stream": False,
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.choice.count": 2,
    }
