from pathlib import Path

import pytest

from app import words
from app.words import Words, normal

LIST = Words(["secret", "Straße", "河流", "café", "ＡＢＣ社"])


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("a secret.", True),
        ("SECRET", True),
        ("ｓｅｃｒｅｔ", True),
        ("se\u200bcr\u00adet", True),
        ("secretary", False),
        ("a nonsecret", False),
        ("secret河", True),
        ("the STRASSE there", True),
        ("小河流过", True),
        ("河\u200b流", True),
        ("河 流", False),
        ("cafe\u0301", True),
        ("cafe", False),
        ("去abc社吧", True),
        ("", False),
    ],
)
def test_words_are_found_however_they_are_written(text: str, inside: bool) -> None:
    assert LIST.inside(normal(text)) is inside


def test_a_word_at_the_end_of_what_has_come_may_go_on() -> None:
    assert not LIST.inside("a secret", ended=False)
    assert LIST.inside("a secret,", ended=False)
    assert LIST.inside("河流", ended=False)


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        ("a sec", "sec"),
        ("a secret", "secret"),
        ("bosec", ""),
        ("hello", ""),
        ("小河", "河"),
        ("cafe", "cafe"),
        ("x", ""),
    ],
)
def test_with_what_a_word_may_have_begun(text: str, begun: str) -> None:
    assert LIST.begun(text) == begun


def test_a_list_is_read_without_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# a comment\n\n secret \n河流\n")

    assert words.loaded(path).words == ["secret", "河流"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\xff\xfe", "not UTF-8"), ("a\n\u200b\n".encode(), "line 2"), (b"a" * 101, "line 1"), (None, "No such file")],
)
def test_a_wrong_list_is_told_in_one_line_without_its_words(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=says) as raised:
        words.loaded(path)

    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "aaa" not in str(raised.value)
