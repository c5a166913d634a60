import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.document import read, strict, written

NUMBERS = some.integers(-(2**70), 2**70) | some.floats(allow_nan=False, allow_infinity=False)
TEXTS = some.text(some.characters(exclude_categories=["Cs"]))
DOCUMENTS = some.recursive(
    some.none() | some.booleans() | NUMBERS | TEXTS, lambda inner: some.lists(inner) | some.dictionaries(TEXTS, inner)
)


@given(DOCUMENTS, some.booleans())
def test_what_passes_is_what_the_standard_library_reads(document: Any, ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only).encode()

    assert strict(text) == document == read(text) == strict(text.decode().encode("utf-16"))
    assert json.loads(written(strict(text))) == document


@pytest.mark.parametrize(
    "text", [b'"\\ud800"', b"NaN", b"1e999", b'{"a":1} {}', b"\xff", '"\ud800'.encode("utf-16", "surrogatepass")]
)
def test_what_others_may_take_for_something_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        strict(text)


def test_an_engines_half_character_is_read() -> None:
    assert read(b'{"text": "a\\ud83d"}') == {"text": "a\ud83d"}
    with pytest.raises(ValueError):
        read(b'{"text": ')
