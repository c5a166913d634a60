"""Takes out of a text what must not be kept of it: addresses, numbers, keys; and what a site's own file names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# every repetition has an end, or begins where no other can: a prompt must not make a search take minutes
EMAIL = r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
KEYS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<![\w-])(?:sk|pk|rk|hf|gh[pousr]|github_pat|glpat|npm|pypi|xox[abeprs])[-_][\w-]{16,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bAIza[\w-]{35}",
    r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    r"\b[0-9a-fA-F]{32,}\b",
    r"(?i:\bbearer)\s{1,5}[\w.~+/=-]{8,}",
)
SIGN, VALUES = r"['\"]?\s{0,5}[:=：]\s{0,5}['\"]?", r"[^\s'\",;，。]{4,}"
NAMED = (
    rf"((?i:\bapi[_ -]?key|access[_ -]?key|secret|token|passwo?r?d|密码|口令|密钥){SIGN}){VALUES}",
    rf"((?i:\bpassword is|密码是|口令是)\s{{0,5}}){VALUES}",
)
BEGIN, END = r"(?<![0-9A-Za-z_.])", r"(?![0-9A-Za-z_])"  # \b knows no border between 号 and 4
CARD = rf"{BEGIN}\d(?:[ -]?\d){{12,18}}{END}"  # with its check digit right
PERSON = rf"{BEGIN}\d{{17}}[\dXx]{END}"  # an identity number
PHONES = (
    rf"{BEGIN}\+\d(?:[ ()./-]{{0,2}}\d){{7,14}}{END}",
    rf"{BEGIN}1[3-9]\d(?:[ -]?\d{{4}}){{2}}{END}",
    rf"{BEGIN}\(?0\d{{1,4}}\)?[ /-]{{1,2}}\d(?:[ -]?\d){{4,9}}{END}",
    rf"{BEGIN}\(?[2-9]\d{{2}}\)?[ .-]{{1,2}}\d{{3}}[ .-]\d{{4}}{END}",
)
MAX_CHARS, MARGIN = 32_000, 1_000  # what is cut in half is found within the margin, and then cut off


@dataclass(frozen=True)
class Redactor:
    """Replaces what it finds by its kind in brackets."""

    own: tuple[re.Pattern[str], ...] = ()

    def text(self, said: str) -> str:
        """The text, and of a very long one its beginning: a search holds up all that the process does."""
        said = said[: MAX_CHARS + MARGIN]
        for pattern in self.own:
            said = pattern.sub("[redacted]", said)
        for pattern in ALL_KEYS:
            said = pattern.sub("[key]", said)
        for pattern in ALL_NAMED:
            said = pattern.sub(r"\1[key]", said)
        said = ADDRESS.sub("[email]", said)
        said = PAYMENT.sub(lambda found: "[card]" if checks(found[0]) else found[0], said)
        said = IDENTITY.sub("[id]", said)
        for pattern in ALL_PHONES:
            said = pattern.sub("[phone]", said)
        return said[:MAX_CHARS]

    def document(self, found: Any) -> Any:
        """The same of every text within."""
        if isinstance(found, str):
            return self.text(found)
        if isinstance(found, dict):
            return {name: self.document(value) for name, value in found.items()}
        return [self.document(one) for one in found] if isinstance(found, list) else found


def checks(number: str) -> bool:
    """Whether a card's check digit is right (ISO/IEC 7812, Luhn): other long numbers are let alone."""
    digits = [int(sign) for sign in number if sign.isdigit()][::-1]
    doubled = [2 * one - 9 * (one > 4) for one in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def patterns(path: Path) -> tuple[re.Pattern[str], ...]:
    """A site's own: one regular expression a line, `#` begins a comment.

    Raises:
        ValueError: the file, or the first line of it that is no regular expression.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            found.append(re.compile(line))
        except re.error as error:
            raise ValueError(f"{path}:{number}: no regular expression: {error}") from None
    return tuple(found)


def compiled(texts: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text, re.DOTALL) for text in texts)


ALL_KEYS, ALL_NAMED, ALL_PHONES = compiled(KEYS), compiled(NAMED), compiled(PHONES)
ADDRESS, PAYMENT, IDENTITY = compiled((EMAIL, CARD, PERSON))
