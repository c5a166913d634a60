"""Golden sets for the quality gate: JSON Lines, one case a line, each with references and a key."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quality import text
from quality.errors import BadFile, EmptySet

FOLDER = Path(__file__).parent / "golden"
Words = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Case(BaseModel):
    """What is asked, and what a right answer is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)
    language: Literal["en", "zh", "mixed"]
    tags: tuple[Words, ...] = ()
    question: Words
    references: tuple[Words, ...] = Field(min_length=1, description="whole answers that are right")
    keys: tuple[Words, ...] = Field(min_length=1, description="a right answer holds one of these")
    max_tokens: int = Field(default=64, ge=1, le=4096)

    @model_validator(mode="after")
    def references_are_right(self) -> Self:
        if wrong := [one for one in self.references if not any(text.holds(one, key) for key in self.keys)]:
            raise ValueError(f"the reference {wrong[0]!r} holds none of the keys")
        return self


def case_of(line: str, where: str) -> Case:
    try:
        return Case.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadFile(f"{where}: {key + ': ' if key else ''}{first['msg']}: correct the line") from None


def load(sources: Iterable[Path] = (FOLDER,)) -> list[Case]:
    """The cases of files, or of folders' *.jsonl; BadFile for a wrong or repeated line, EmptySet for none."""
    files = [file for one in sources for file in (sorted(one.glob("*.jsonl")) if one.is_dir() else [one])]
    found: list[Case] = []
    places: dict[str, str] = {}
    for file in files:
        for number, line in lines(file):
            case = case_of(line, f"{file}:{number}")
            for mark in (f"the id {case.id}", f"the question {text.plain(case.question)!r}"):
                if mark in places:
                    raise BadFile(f"{file}:{number}: {mark} stands in {places[mark]} already: remove one")
                places[mark] = f"{file}:{number}"
            found.append(case)
    if not found:
        raise EmptySet(f"{', '.join(map(str, files or sources))}: no case: a golden set needs at least one line")
    return found


def lines(file: Path) -> list[tuple[int, str]]:
    """The lines that are not blank with their numbers."""
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{file}: cannot be read as UTF-8 ({error}): name a JSON Lines file") from None
    return [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]


def leaks(cases: Iterable[Case], trained: Iterable[str]) -> list[str]:
    """Ids of the cases whose question stands in the training texts but for case, blanks and punctuation."""
    seen = {tuple(text.words(question)) for question in trained}
    return [case.id for case in cases if tuple(text.words(case.question)) in seen]


def refuse_leaks(cases: Iterable[Case], trained: Iterable[str]) -> None:
    if found := leaks(cases, trained):
        raise BadFile(f"{len(found)} cases stand in the training texts, {found[0]} first: ask in other words")


def digest(cases: Iterable[Case]) -> str:
    """The sha256 of what is asked and what is right, in any order of the lines."""
    rows = sorted(case.model_dump_json(exclude={"tags"}) for case in cases)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def line_of(case: Case) -> str:
    given = case.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(given, ensure_ascii=False) + "\n"
