"""The answers of one model to one golden set: a JSON Lines file whose first line says whose they are."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from quality.cases import Case, digest, lines
from quality.errors import BadFile, OtherCases, OtherSet

T = TypeVar("T", "Head", "Said")


@dataclass(frozen=True)
class Head:
    set: str  # sha256 of the golden set
    model: str  # what was asked
    sha256: str = ""  # of the model's files, when they are known


@dataclass(frozen=True)
class Said:
    id: str
    text: str
    outcome: str = "ok"
    finish: str = "stop"


@dataclass
class Record:
    head: Head
    answers: dict[str, Said] = field(default_factory=dict)

    def texts(self, cases: Iterable[Case]) -> list[str]:
        return [self.answers[case.id].text for case in cases]


def load(file: Path) -> Record:
    """BadFile, with file and line, for anything that is not a record."""
    rows = [(number, parsed(line, f"{file}:{number}")) for number, line in lines(file)]
    if not rows:
        raise BadFile(f"{file}: empty: its first line says which set and model the answers are of")
    (number, head), *rest = rows
    record = Record(made(Head, head, f"{file}:{number}"))
    for number, row in rest:
        said = made(Said, row, f"{file}:{number}")
        if said.id in record.answers:
            raise BadFile(f"{file}:{number}: a second answer to {said.id}: remove one")
        record.answers[said.id] = said
    return record


def parsed(line: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise BadFile(f"{where}: not JSON ({error}): correct or remove the line") from None
    if not isinstance(found, dict):
        raise BadFile(f"{where}: not a JSON object: correct or remove the line")
    return found


def made(kind: type[T], row: dict[str, Any], where: str) -> T:
    if not all(isinstance(value, str) for value in row.values()):
        raise BadFile(f"{where}: every value is a text: correct the line")
    try:
        return kind(**row)
    except TypeError as error:
        raise BadFile(f"{where}: {str(error).split('__init__() ')[-1]}: correct the line") from None


def matched(record: Record, cases: list[Case], file: Path, what: str) -> None:
    """OtherSet or OtherCases unless the record answers exactly these cases."""
    asked = {case.id for case in cases}
    if record.head.set != digest(cases):
        if what == "baseline":
            raise OtherSet(f"{file}: a baseline of another golden set: ask the live release with this one")
        raise OtherCases(f"{file}: answers to another golden set: run `sluice quality run` with this one")
    if unknown := sorted(set(record.answers) - asked):
        raise OtherCases(f"{file}: answers {unknown[0]}, which was not asked: run `sluice quality run` again")
    if missing := sorted(asked - set(record.answers)):
        raise OtherCases(
            f"{file}: {len(missing)} cases have no answer, {missing[0]} first: run `sluice quality run` again"
        )


def begin(file: Path, head: Head) -> None:
    """The file with its first line; it is there as a whole or not at all."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(row(head), encoding="utf-8")
    draft.replace(file)


def row(one: Head | Said) -> str:
    return json.dumps(asdict(one), ensure_ascii=False) + "\n"
