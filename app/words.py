"""Sensitive words: a list, found in texts however their characters are written."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from ahocorasick_rs import AhoCorasick

LONGEST = 100  # characters of a word; so much of a stream may be held back
# characters that nobody sees: joiners, soft hyphens, marks of direction, variation selectors, tags
UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# scripts that put no spaces between words: Thai to Khmer, kana, Han, Hangul (its particles adjoin)
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]"
)


def normal(text: str) -> str:
    """One form for all ways to write a text: NFKC, case-folded, without what nobody sees."""
    if text.isascii():
        return text.lower()
    seen = unicodedata.normalize("NFKC", UNSEEN.sub("", text)).casefold()
    return unicodedata.normalize("NFKC", seen)


def spaced(character: str) -> bool:
    return character.isalnum() and not UNSPACED.match(character)


def joined(text: str, at: int) -> bool:
    """Whether the word goes on across this place: `pass` is not in `passport`, where 河 is in 河流."""
    return 0 < at < len(text) and spaced(text[at - 1]) and spaced(text[at])


class Words:
    """Takes normal texts only."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = sorted({normal(word) for word in words})
        self.automaton = AhoCorasick(self.words)

    def __bool__(self) -> bool:
        return bool(self.words)

    def inside(self, text: str, since: int = 0, *, ended: bool = True) -> bool:
        """Whether a word begins at or after `since`; where the text goes on, its last word may not be one yet."""
        for _, start, end in self.automaton.find_matches_as_indexes(text, overlapping=True):
            undecided = not ended and end == len(text) and spaced(text[end - 1])
            if start >= since and not undecided and not joined(text, start) and not joined(text, end):
                return True
        return False

    def begun(self, text: str, since: int = 0) -> str:
        """The end of a text with which one of the words may have begun, at or after `since`."""
        for start in range(max(since, len(text) - LONGEST), len(text)):
            if text[start:] in self.beginnings and not joined(text, start):
                return text[start:]
        return ""

    @cached_property
    def beginnings(self) -> frozenset[str]:
        """Of words; a letter whose accent comes later is one too, and a whole word whose end is not known yet."""
        found = set()
        for word in self.words:
            apart = unicodedata.normalize("NFD", word)
            found |= {unicodedata.normalize("NFKC", apart[:length]) for length in range(1, len(apart))} - {word}
            if spaced(word[-1]):
                found.add(word)
        return frozenset(found)


def loaded(path: Path) -> Words:
    """One word or phrase a line; lines that begin with # are comments.

    Raises:
        ValueError: what is wrong with the file, in one line, and none of its words.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: this is not UTF-8") from None
    words = {number: line.strip() for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"}
    for number, word in words.items():
        if not 0 < len(normal(word)) <= LONGEST:
            raise ValueError(f"{path}: line {number} has nothing to see, or more than {LONGEST} characters")
    return Words(words.values())
