from datetime import date

import pytest

from model.name import Misnamed, Name, named


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "qwen-7b-chat-v1.2.0-canary-20250405",
            Name("qwen-7b-chat", (1, 2, 0), "canary", date(2025, 4, 5)),
        ),
        ("acme/qwen2.5-7b-v10.0.3", Name("acme/qwen2.5-7b", (10, 0, 3))),
        ("tiny-v0.1.0-stable", Name("tiny", (0, 1, 0), "stable")),
        ("tiny-v0.1.0-20240229", Name("tiny", (0, 1, 0), "", date(2024, 2, 29))),
    ],
)
def test_a_name_is_its_parts_and_back(text: str, parts: Name) -> None:
    assert named(text) == parts
    assert str(parts) == text


def test_a_models_version_is_semver() -> None:
    found = named("qwen-7b-chat-v1.2.0-canary-20250405")
    assert found is not None
    assert found.semver == "1.2.0"


@pytest.mark.parametrize("text", ["sluice/tiny", "Qwen/Qwen2.5-7B-Instruct", "tiny-vision"])
def test_an_id_without_a_version_is_none_of_these(text: str) -> None:
    assert named(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "qwen-v1.2",
        "qwen-v1.2.0-Canary-20250405",
        "qwen-v1.2.0-20250405-canary",
        "qwen-v01.2.0",
        "qwen-v1.2.0-canary-20251345",
        "qwen-v1.2.0-canary-20250229",
    ],
)
def test_a_name_that_means_a_version_and_has_none_is_refused(text: str) -> None:
    with pytest.raises(Misnamed, match="write it"):
        named(text)
