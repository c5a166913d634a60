"""In which script a text is written, and whether an answer came in another than it was asked in."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

LOOKED_AT = 2000  # characters
LEAST = 12  # letters below which a text is in no script
WEIGHT = {
    "CJK": 3,
    "HANGUL": 3,
    "HIRAGANA": 3,
    "KATAKANA": 3,
}  # letters of an alphabet that say as much as one of these
NO_LETTERS = bytes(one for one in range(128) if not chr(one).isalpha())
CLEAR, HARDLY = 0.8, 0.2  # share of the letters: of the one script it is in, of one that it is not in
CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
# who speaks of a language may want the answer in it
OTHER_WANTED = re.compile(
    r"translat|language|english|chinese|mandarin|pinyin|翻译|翻譯|译|譯|英文|英语|英語|中文|汉语|漢語|拼音|日语|日文|韩语|俄语|法语|德语|语言|語言",
    re.IGNORECASE,
)


def letters(text: str) -> Mapping[str, int]:
    """Numbers of letters by script, by weight, code and addresses left out."""
    prose = text[:LOOKED_AT]
    if "`" in prose or "://" in prose:
        prose = CODE.sub(" ", prose)
    if prose.isascii():  # most texts: without looking at each letter
        return {"LATIN": len(prose.encode().translate(None, NO_LETTERS))}
    found = Counter(unicodedata.name(one, "?").split(" ", 1)[0] for one in prose if one.isalpha())
    return {script: number * WEIGHT.get(script, 1) for script, number in found.items()}


def clear(found: Mapping[str, int]) -> str:
    """The script that a text is in, or "" where it is in none or in several."""
    if not found:
        return ""
    script = max(found, key=found.__getitem__)
    return script if found[script] >= LEAST and found[script] >= CLEAR * sum(found.values()) else ""


def asked(question: str) -> str:
    """The script in which an answer is expected, or "" where any is right."""
    found = clear(letters(question))
    return "" if found and OTHER_WANTED.search(question) else found


def wrong(expected: str, answer: str) -> bool:
    """Whether it is clearly in a script, and hardly in the expected one."""
    found = letters(answer)
    return clear(found) not in ("", expected) and found.get(expected, 0) < HARDLY * sum(found.values())
