"""One request as its user saw it; times are seconds from the intended start unless they say otherwise."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

OK = "ok"


@dataclass
class Sample:
    label: str
    kind: str
    language: str
    intended: float  # seconds on the run's own clock
    sent: float = 0.0  # how late it was sent: the tool's own fault
    first: float | None = None
    last: float | None = None
    end: float = 0.0
    tokens: int = 0
    outcome: str = OK
    gaps: list[float] = field(default_factory=list)  # between frames with content

    @property
    def tpot(self) -> float | None:
        """Seconds per token after the first."""
        if self.first is None or self.last is None or self.tokens < 2:
            return None
        return (self.last - self.first) / (self.tokens - 1)


def save(samples: Iterable[Sample], file: Path) -> None:
    lines = (json.dumps(asdict(sample)) + "\n" for sample in samples)
    file.write_text("".join(lines), encoding="utf-8")


def load(file: Path) -> list[Sample]:
    return [Sample(**json.loads(line)) for line in file.open(encoding="utf-8")]
