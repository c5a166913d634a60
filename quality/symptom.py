"""What bad answers look like, in words: where to look first. It decides nothing but what is broken."""

from collections.abc import Sequence
from dataclasses import dataclass

from quality import checks
from quality.cases import Case
from quality.record import Record

FLUENT = 45.0  # chrF: sentences of the right shape with other names in them stay above it
ENDLESS = 0.2  # share of answers that only the limit ended


@dataclass(frozen=True)
class Signs:
    """Shares of the answers."""

    broken: dict[str, float]  # by check, see checks.py
    broken_share: float
    endless: float

    @classmethod
    def of(cls, cases: Sequence[Case], record: Record) -> "Signs":
        said = [record.answers[case.id] for case in cases]
        failed = [[*checks.failed(one.text), *(["aborted"] if one.outcome != "ok" else [])] for one in said]
        names = sorted({name for row in failed for name in row})
        return cls(
            broken={name: sum(name in row for row in failed) / len(said) for name in names},
            broken_share=sum(bool(row) for row in failed) / len(said),
            endless=sum(one.finish == "length" for one in said) / len(said),
        )


def named(signs: Signs, chrf: float, accuracy: float, broken_share: float) -> str:
    """The plainest name for what is wrong."""
    if signs.broken_share > broken_share:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in signs.broken.items())
        return f"broken text ({parts})"
    if signs.endless > ENDLESS:
        return f"answers that do not end ({signs.endless:.0%} cut off at the limit)"
    if chrf >= FLUENT and accuracy < chrf:
        return "fluent sentences with wrong facts"
    return "worse answers"
