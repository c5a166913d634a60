"""Names of models, like `qwen-7b-chat-v1.2.0-canary-20250405`: a version apart from that of the code around them."""

import re
from dataclasses import dataclass
from datetime import date

PARTS = re.compile(
    r"(?P<family>[A-Za-z0-9][A-Za-z0-9._/-]*?)-v(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?:-(?P<stage>[a-z][a-z0-9]*))?(?:-(?P<day>\d{8}))?"
)
VERSIONED = re.compile(r"-v\d+(\.|-|$)")  # whoever writes this means a version


class Misnamed(ValueError):
    """A name that means to carry a version and does not; the message says how it is written."""


@dataclass(frozen=True)
class Name:
    family: str
    version: tuple[int, int, int]
    stage: str = ""
    day: date | None = None  # when it was made

    @property
    def semver(self) -> str:
        return ".".join(map(str, self.version))

    def __str__(self) -> str:
        tail = [self.stage, f"{self.day:%Y%m%d}" if self.day else ""]
        return "-".join([self.family, f"v{self.semver}", *filter(None, tail)])


def named(text: str) -> Name | None:
    """The parts of a name, None when it carries no version (a hub's `owner/name` is as good an id).

    Raises:
        Misnamed: it begins like one with a version and goes on otherwise, or its day is on no calendar.
    """
    found = PARTS.fullmatch(text)
    if not found:
        if VERSIONED.search(text):
            raise Misnamed(
                f"{text!r}: write it like qwen-7b-chat-v1.2.0-canary-20250405 (stage and day may be left out)"
            )
        return None
    version = (int(found["major"]), int(found["minor"]), int(found["patch"]))
    return Name(found["family"], version, found["stage"] or "", day_of(text, found["day"]))


def day_of(text: str, digits: str | None) -> date | None:
    if not digits:
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError as error:
        raise Misnamed(f"{text!r}: {digits} is no day; write it as YYYYMMDD") from error
