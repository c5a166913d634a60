"""What can be said of an answer without knowing the right one: pure functions of its text."""

import re

REPEATS = 8  # the same word or short phrase in a row: a broken model does this, people do not
MAX_PHRASE = 4  # words
SPACED = re.compile(r"\w+|[^\w\s]")
CJK = re.compile(r"([\u3400-\u9fff])")


def empty(text: str) -> bool:
    return not text.strip()


def replacement(text: str) -> bool:
    """Bytes that were no UTF-8: the tokenizer or the weights are not those of the model."""
    return "\ufffd" in text


def repetition(text: str) -> bool:
    """The same phrase of one to four words (in Chinese, characters) at least eight times in a row."""
    words = SPACED.findall(CJK.sub(r" \1 ", text))
    return any(repeats(words, size) >= REPEATS for size in range(1, MAX_PHRASE + 1))


def repeats(words: list[str], size: int) -> int:
    """How often in a row the most repeated phrase of `size` words stands."""
    best = run = min(1, len(words) // size)
    same = 0  # words that equal the one a phrase earlier, in a row
    for now, before in zip(words[size:], words, strict=False):
        same = same + 1 if now == before else 0
        run = 1 + same // size
        best = max(best, run)
    return best


CHECKS = {"empty": empty, "replacement": replacement, "repetition": repetition}


def failed(text: str) -> list[str]:
    """Names of the checks that the text does not pass."""
    return [name for name, wrong in CHECKS.items() if wrong(text)]
