import math
from typing import Any

import pytest

from app.errors import Refusal
from app.settings import Settings
from app.shapes import MAIN, Shapes, schema
from app.whole import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES

SETTINGS = Settings(model_name="tiny", max_batch=2, max_tokens=100, max_n=2, max_stop=2, max_logprobs=5)
SHAPES = Shapes(SETTINGS)
HELLO = [{"role": "user", "content": "hello"}]


def chat(content: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], **more}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (CHAT, chat("hello", model="tiny", temperature=0, stream=True, stream_options={"include_usage": None})),
        (CHAT, chat(None, model=None, max_tokens=None, stop=None)),
        (CHAT, chat(["a", {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}])),
        (CHAT, chat("a", tools=[{"type": "function"}], unknown_to_us={"a": [1]}, logprobs=True, top_logprobs=5)),
        (CHAT, {}),  # what lacks, an engine tells better
        (COMPLETIONS, {"prompt": "a", "max_tokens": 3.0, "stop": ["a", "b"]}),
        (COMPLETIONS, {"prompt": [1, 2, 3]}),
        (COMPLETIONS, {"prompt": [[1], [2]], "logprobs": -1}),
        (EMBEDDINGS, {"input": ["a", "b"], "dimensions": 3}),
        (RESPONSES, {"input": "a"}),
        (RESPONSES, {"input": [{"type": "function_call_output", "output": "a"}]}),
    ],
)
def test_what_openai_describes_has_the_form(path: str, document: dict[str, Any]) -> None:
    SHAPES.check(path, document)


@pytest.mark.parametrize(
    ("path", "document", "where"),
    [
        (CHAT, {"messages": "hello"}, "messages"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": [{"content": "a"}]}, "messages.0"),
        (CHAT, chat(5), "messages.0.content"),
        (CHAT, chat([{"type": "image_url", "image_url": {"url": "https://a.example/"}}]), "messages.0.content"),
        (CHAT, chat([{"text": "a"}]), "messages.0.content"),
        (CHAT, chat("a", model="other"), "model"),
        (CHAT, chat("a", stream="yes"), "stream"),
        (CHAT, chat("a", max_tokens=101), "max_tokens"),
        (CHAT, chat("a", n=0), "n"),
        (CHAT, chat("a", top_logprobs=6), "top_logprobs"),
        (CHAT, chat("a", stop=["a", "b", "c"]), "stop"),
        (CHAT, chat("a", temperature="hot"), "temperature"),
        (COMPLETIONS, {"prompt": ""}, "prompt"),
        (COMPLETIONS, {"prompt": ["a", "b", "c"]}, "prompt"),
        (COMPLETIONS, {"prompt": [-1]}, "prompt"),
        (EMBEDDINGS, {"input": {"text": "a"}}, "input"),
        (RESPONSES, {"input": []}, "input"),
        (RESPONSES, {"input": ["a"]}, "input"),
    ],
)
def test_another_form_is_refused_with_its_place(path: str, document: dict[str, Any], where: str) -> None:
    with pytest.raises(Refusal) as refused:
        SHAPES.check(path, document)

    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_value", where)


def test_what_stands_in_the_field_is_not_told() -> None:
    with pytest.raises(Refusal) as refused:
        SHAPES.check(COMPLETIONS, {"prompt": {"a secret": "another"}})

    assert "secret" not in str(refused.value.document)
    assert "another" not in str(refused.value.document)


def test_where_fields_are_allowed_one_by_one_docs_show_no_other() -> None:
    found = schema(CHAT, Settings(allowed_fields="messages,max_tokens"))

    assert (set(found["properties"]), found["additionalProperties"]) == ({"messages", "max_tokens"}, False)


def test_media_has_a_form_only_where_hosts_are_allowed() -> None:
    picture = chat([{"type": "image_url", "image_url": {"url": "https://a.example/"}}])

    Shapes(Settings(media_hosts="a.example")).check(CHAT, picture)
    with pytest.raises(Refusal):
        SHAPES.check(CHAT, picture)


def test_each_endpoint_says_which_field_it_needs() -> None:
    needed = {path: schema(path, SETTINGS)["required"] for path in MAIN}

    assert needed == {CHAT: ["messages"], COMPLETIONS: ["prompt"], EMBEDDINGS: ["input"], RESPONSES: ["input"]}


@pytest.mark.parametrize("number", [math.pi, -1, 10**30])
def test_a_number_is_a_whole_one_within_its_bounds(number: float) -> None:
    with pytest.raises(Refusal):
        SHAPES.check(CHAT, {"messages": HELLO, "n": number})
