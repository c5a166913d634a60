from pathlib import Path
from typing import Any

import pytest

from app.prompts import Prompt, loaded
from app.whole import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES

TERSE = Prompt(system="Be terse.", template="Q: {prompt}")
SYSTEM = {"role": "system", "content": "Be terse."}


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


@pytest.mark.parametrize(
    ("path", "document", "changed"),
    [
        (CHAT, {"messages": said("a", "b")}, {"messages": [SYSTEM, *said("a", "Q: b")]}),
        (CHAT, {"messages": [{"role": "system", "content": "x"}]}, {"messages": [{"role": "system", "content": "x"}]}),
        (CHAT, {"messages": ["odd"]}, {"messages": ["odd"]}),
        (COMPLETIONS, {"prompt": "a {prompt}"}, {"prompt": "Q: a {prompt}"}),
        (COMPLETIONS, {"prompt": [1, 2]}, {"prompt": [1, 2]}),
        (RESPONSES, {"input": "a"}, {"instructions": "Be terse.", "input": "Q: a"}),
        (RESPONSES, {"input": "a", "instructions": "x"}, {"instructions": "x", "input": "Q: a"}),
        (EMBEDDINGS, {"input": "a"}, {"input": "a"}),
    ],
)
def test_a_prompt_in_each_kind_of_request(path: str, document: dict[str, Any], changed: dict[str, Any]) -> None:
    assert TERSE.applied(document, path) == changed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: {template: none}", "a template holds {prompt} once"),
        ("a: {sytem: x}", "Extra inputs"),
        ("- a", "no mapping"),
        ("{", "not YAML"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "prompts.yaml").write_text(text)
    with pytest.raises(ValueError, match=why) as told:
        loaded(tmp_path / "prompts.yaml")

    assert "\n" not in str(told.value)
