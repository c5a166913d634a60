"""Texts in Chinese, English or both, made comparable: pure functions."""

import re
import unicodedata

CJK = "\u3400-\u9fff\uf900-\ufaff"
PIECE = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
SPACED = re.compile(rf"[{CJK}]|[^\W_{CJK}]+|[^\w\s]|_")


def plain(text: str) -> str:
    """Full-width forms, case and runs of blanks made alike."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> list[str]:
    """Words of alphabets and single Chinese characters, without punctuation: the tokens of ROUGE."""
    return PIECE.findall(plain(text))


def pieces(text: str) -> list[str]:
    """As people read a difference: words, Chinese characters and punctuation, as they were written."""
    return SPACED.findall(text)


def same(text: str, other: str) -> bool:
    """Equal but for case, blanks, width and punctuation."""
    return words(text) == words(other)


def holds(text: str, key: str) -> bool:
    """Does the text contain the key's words in a row? `170` is not in `1709`, `red` is not in `bred`."""
    found, wanted = words(text), words(key)
    return bool(wanted) and any(found[at : at + len(wanted)] == wanted for at in range(len(found) - len(wanted) + 1))
