import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import caps
from app.errors import Refusal
from app.settings import Settings

IMAGE = "https://pictures.example/a.png"


def message(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def image(url: Any) -> dict[str, Any]:
    return message({"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}})


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 10**6}, "n"),
        ({"best_of": 9}, "best_of"),
        ({"n": 0}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"max_tokens": "1000000000"}, "max_tokens"),
        ({"max_tokens": 1e9}, "max_tokens"),
        ({"max_completion_tokens": 10**9}, "max_completion_tokens"),
        ({"max_output_tokens": 10**9}, "max_output_tokens"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": "a" * 300}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"logprobs": 100}, "logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"prompt_logprobs": 100}, "prompt_logprobs"),
        ({"prompt": ["a"] * 65}, "prompt"),
        ({"prompt": "a" * 3001}, "prompt"),
        ({"prompt": [[1] * 3001]}, "prompt"),
        ({"messages": [{"role": "user", "content": "a" * 3001}]}, "messages"),
        ({"model": "other"}, "model"),
        (image("http://169.254.169.254/latest/meta-data"), "messages"),
        (image(IMAGE), "messages"),
        (message({"image_url": IMAGE}), "messages"),
        (message({"type": "text", "text": "a", "image_url": IMAGE}), "messages"),
        (message({"type": ["text"]}), "messages"),
        (message({"type": "input_audio", "input_audio": {"data": "x"}}), "messages"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": IMAGE}]}]}, "input"),
        ({"input": [{"type": "function_call_output", "output": [{"type": "input_image"}]}]}, "input"),
    ],
)
async def test_what_is_too_much_is_refused_and_the_engine_never_sees_it(
    door: Any, engine: Any, body: dict[str, Any], param: str
) -> None:
    door.gateway.settings.max_prompt_chars = 3000
    status, headers, said = await door.post("/v1/chat/completions", body)

    error = json.loads(said)["error"]
    assert (status, error["param"]) == (404 if param == "model" else 400, param)
    assert headers["x-sluice-outcome"] == "client_4xx"
    assert engine.asked == []
    assert door.outcomes() == {"client_4xx": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"n": 8, "max_tokens": 8192, "stop": ["a", "b"], "logprobs": True, "top_logprobs": 20, "model": "tiny"},
        {"stop": None, "max_tokens": None, "unknown_to_us": {"a": [1]}},
        message({"type": "text", "text": "a"}, "b"),
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {}}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]},
        {"prompt": [1, 2, 3] * 100},
    ],
)
async def test_what_is_usual_passes_untouched(door: Any, engine: Any, body: dict[str, Any]) -> None:
    assert (await door.post("/v1/chat/completions", body))[0] == 200
    assert engine.asked == [body]


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        (IMAGE, True),
        ("data:image/png;base64,AAAA", False),
        ("https://pictures.example:443/a", True),
        ("https://pictures.example:8443/a", False),
        ("http://pictures.example/a", False),
        ("https://169.254.169.254/", False),
        ("https://pictures.example@169.254.169.254/", False),
        ("https://169.254.169.254\\@pictures.example/", False),
        ("https://pictures.example.evil.example/", False),
        ("https://pictures\u3002example/", False),
        ("https://pictures.example/\r\nhost: a", False),
        ("file:///etc/passwd", False),
        ("https://[::1", False),
        (5, False),
    ],
)
def test_media_is_taken_from_allowed_hosts_alone(url: Any, taken: bool) -> None:
    settings = Settings(media_hosts="pictures.example, other.example")
    if taken:
        caps.checked(image(url), settings)
        return
    with pytest.raises(Refusal):
        caps.checked(image(url), settings)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("data:image/png;base64,AAAA", True),
        ("data:audio/wav;base64,AAAA", True),
        (IMAGE, False),
        ("data:text/html,<script>", False),
        ("data:image/png,AAAA", False),
        ("DATA:image/png;base64,AAAA", False),
        ("https://data:/a", False),
        ("data:image/png;base64," + "A" * 3000, False),  # larger than a prompt may be
    ],
)
def test_media_within_a_request_is_taken_where_that_is_said(url: str, taken: bool) -> None:
    settings = Settings(media_hosts="data:", max_prompt_chars=3000)
    if taken:
        caps.checked(image(url), settings)
        return
    with pytest.raises(Refusal):
        caps.checked(image(url), settings)


def test_fields_can_be_allowed_one_by_one() -> None:
    settings = Settings(allowed_fields="model,messages")
    caps.checked({"messages": []}, settings)
    with pytest.raises(Refusal, match="not allowed"):
        caps.checked({"messages": [], "chat_template": "{{ x }}"}, settings)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_no_prompt_is_longer_than_the_body_that_it_came_in(prompt: Any) -> None:
    """So a body that is small enough need not be measured."""
    assert caps.length(prompt) <= len(json.dumps(prompt, ensure_ascii=False).encode(errors="surrogatepass"))
