from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings

README = Path(__file__).parents[2] / "app" / "README.md"


def rows() -> list[str]:
    """The table as the code has it."""
    return [
        f"| `SLUICE_{name.upper()}` | {'' if field.default in ('', None) else field.default} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]


def test_every_setting_is_documented_as_it_is() -> None:
    assert [line for line in README.read_text().splitlines() if line.startswith("| `SLUICE_")] == rows()
    assert all(field.description for field in Settings.model_fields.values())


def test_an_empty_probe_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    with pytest.raises(ValidationError, match="is empty"):
        Settings(probe_key_file=tmp_path / "key")


@pytest.mark.parametrize("name", ["keys_file", "words_file", "prompts_file", "redact_file", "flags_file"])
def test_a_file_that_cannot_be_used_is_told_with_its_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name}\n.*{tmp_path}/none"):
        Settings.model_validate({name: tmp_path / "none"})


def test_the_largest_request_and_its_answer_must_have_room() -> None:
    least = 8 * (2**20 + 2 * 2**20)

    assert Settings(max_answer_bytes=2 * 2**20, max_held_bytes=least).max_held_bytes == least
    with pytest.raises(ValidationError, match=f"max_held_bytes\n.*set at least {least} "):
        Settings(max_answer_bytes=2 * 2**20, max_held_bytes=least - 1)
    with pytest.raises(ValidationError, match="max_held_bytes"):  # of the default as well
        Settings(max_answer_bytes=2**30)


def test_lists_are_split_at_commas() -> None:
    settings = Settings(media_hosts=" a.example, b.example,")

    assert settings.media == {"a.example", "b.example"}
    assert settings.allowed == frozenset()
