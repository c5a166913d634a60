"""When requests are sent: fixed before the run and seeded, so that a slow engine cannot slow its own test down."""

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Phase:
    """Requests to one engine for some seconds; `even` ones come at equal distances, others as people do (Poisson)."""

    label: str
    url: str
    rate: float
    seconds: float
    seed: int
    even: bool = False

    def arrivals(self) -> list[float]:
        """Seconds from the phase's beginning, ascending."""
        if self.even:
            return [i / self.rate for i in range(round(self.rate * self.seconds))]
        draw, now, times = random.Random(self.seed), 0.0, []  # noqa: S311
        while (now := now + draw.expovariate(self.rate)) < self.seconds:
            times.append(now)
        return times


@dataclass(frozen=True)
class Plan:
    """Phases one after the other; each begins when the answers of the one before it have come."""

    model: str
    context: int
    phases: tuple[Phase, ...]
    answer_tokens: int | None = None  # all answers of this length, instead of the mix's own

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


def load(file: Path) -> Plan:
    given = json.loads(file.read_text(encoding="utf-8"))
    return Plan(**given | {"phases": tuple(Phase(**phase) for phase in given["phases"])})


def rounds(labels: Sequence[str], number: int) -> list[str]:
    """Each label once per round, the order turned every other round: A B B A …, so that drift hits all alike."""
    return [label for i in range(number) for label in (labels if i % 2 == 0 else labels[::-1])]
