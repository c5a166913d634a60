import time
from pathlib import Path

import pytest

from app.redaction import MAX_CHARS, Redactor, patterns

CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("write to bob.smith+x@mail.example.co.uk now", "write to [email] now"),
        ("pay with " + CARD, "pay with [card]"),
        ("卡号4111111111111111。", "卡号[card]。"),
        ("call +49 (0)30 123456-78", "call [phone]"),
        ("电话13812345678", "电话[phone]"),
        ("or 138-1234-5678, (212) 555-1234, 010-62345678", "or [phone], [phone], [phone]"),
        ("sk-abcdEFGH1234567890xyz and AKIAABCDEFGHIJKLMNOP", "[key] and [key]"),
        ('{"password": "hunter22"}', '{"password": "[key]"}'),
        ("api_key=abcd1234 and 我的密码是abc12345。", "api_key=[key] and 我的密码是[key]。"),
        ("Authorization: Bearer abcdefghij", "Authorization: [key]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nend", "[key]\nend"),
        ("id 11010519491231002X", "id [id]"),
    ],
)
def test_what_points_at_a_person_or_opens_a_door_is_taken_out(text: str, left: str) -> None:
    assert Redactor().text(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "on 2026-11-21 at 12:40:00 pi is 3.14159265358979",
        "4111 1111 1111 1112 is no card",
        "the token is here, a secret is kept, v1.2.3 runs on 10.0.0.12:8080",
        "total 1,234,567.89 of 20 000 orders",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Redactor().text(text) == text


def test_every_text_of_a_document_is_redacted_and_nothing_else() -> None:
    document = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a@b.example"}], "n": 1}]}

    found = Redactor().document(document)

    assert found == {"messages": [{"role": "user", "content": [{"type": "text", "text": "[email]"}], "n": 1}]}


def test_a_sites_own_patterns_are_taken_out_too(tmp_path: Path) -> None:
    file = tmp_path / "patterns"
    file.write_text("# our customers\nK-\\d{6}\n\n(?i)project \\w+\n")

    assert Redactor(patterns(file)).text("K-123456 of Project Moon") == "[redacted] of [redacted]"


@pytest.mark.parametrize(("text", "says"), [("good\n(bad\n", ":2: no regular"), (None, "No such file")])
def test_a_file_that_is_wrong_is_told_in_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "patterns"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=says):
        patterns(file)


@pytest.mark.parametrize("cut", range(MAX_CHARS - 20, MAX_CHARS + 2))
def test_a_number_that_is_cut_in_half_does_not_stay(cut: int) -> None:
    assert "4111" not in Redactor().text("x" * (cut - 1) + " " + CARD)


@pytest.mark.parametrize(
    "unit", ["a", "a.", "1 ", "a@", "+1", "password:", "eyJ-", "f", "-----BEGIN PRIVATE KEY-----", "token "]
)
def test_no_prompt_makes_the_search_long(unit: str) -> None:
    began = time.process_time()
    Redactor().text(unit * 100_000)

    assert time.process_time() - began < 1  # milliseconds; a pattern that tries every split takes minutes
