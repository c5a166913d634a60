"""One run: what the tool itself can do, where the knee is, and the windows that compare two engines side by side."""

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model.running import free_port
from perf import cpu, engine, sample, schedule, stats

BASELINE, CANDIDATE = "baseline", "candidate"
STEADY, FLOOD = "steady", "flood"
FIRST_RATE, STEP, STEPS, STEP_SECONDS = 6.0, 1.7, 8, 2.5
CEILING_RATES = (75.0, 150.0, 300.0, 600.0, 1200.0)
CEILING_BETWEEN = 4  # finer steps between the last of these that the tool kept and the next
KNEE_GOODPUT = 0.95
KNEE_WAIT = 2.0  # times the lowest load's TTFT: from there on a queue, and what disturbs it, is what one measures
WARM_UP = (10.0, 2.0)  # requests per second, seconds; they count for nothing
SHARES = {STEADY: 0.5, FLOOD: 3.0}  # of the knee's rate
SECONDS = {STEADY: 0.5, FLOOD: 0.2}  # short: what disturbs the machine shall hit both of a pair
MOST_REQUESTS = 60  # of a phase: a flood's queue is waited for, however fast the engine is
TOGETHER = 5  # windows that one process drives


Planned = tuple[int, str, schedule.Phase]  # window, kind of load, phase


@dataclass(frozen=True)
class Measured:
    """The figures of one phase: which engine, which kind of load, which pair of it."""

    label: str
    kind: str
    window: int
    figures: stats.Figures


@dataclass(frozen=True)
class Knee:
    """`rate` is the highest at which the first engine answered well; `found` is False when no step was too much."""

    rate: float
    found: bool

    def flood(self, ceiling: float) -> float:
        """A rate above what the engine can do, and never one at which the tool itself would be in doubt."""
        return min(self.rate * SHARES[FLOOD], ceiling / stats.CEILING)

    def __str__(self) -> str:
        return (
            f"the knee is at {self.rate:.1f} requests/s" if self.found else f"no knee up to {self.rate:.1f} requests/s"
        )


@dataclass
class Session:
    """Drives load from the tool's own core; `urls` are the engines under their labels."""

    urls: dict[str, str]
    model: str
    context: int
    slo: stats.Slo
    tool_cores: Sequence[int]
    seed: int = 1
    say: Callable[[str], None] = print
    steps: list[Measured] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    tool: stats.Tool = field(default_factory=stats.Tool)

    def drive(self, phases: Sequence[schedule.Phase]) -> list[stats.Figures]:
        """Run phases and keep how well the tool did; figures in their order."""
        found = self.samples(phases)
        for samples, phase in zip(found, phases, strict=True):
            self.tool.add(samples, phase.rate, phase.seconds)
        return [stats.figures(one, phase.rate, self.slo) for one, phase in zip(found, phases, strict=True)]

    def samples(self, phases: Sequence[schedule.Phase]) -> list[list[sample.Sample]]:
        """Run phases in a process of its own, where Locust may change Python's sockets; samples by phase."""
        numbered = [schedule.Phase(str(i), *rest(phase)) for i, phase in enumerate(phases)]
        with tempfile.TemporaryDirectory(prefix="sluice-perf-") as folder:
            plan, out = Path(folder, "plan.json"), Path(folder, "samples.jsonl")
            schedule.Plan(self.model, self.context, tuple(numbered)).save(plan)
            command = cpu.pinned(self.tool_cores, sys.executable, "-m", "perf.drive", str(plan), str(out))
            subprocess.run(command, cwd=engine.ROOT, check=True)  # noqa: S603
            found = sample.load(out)
        return [[one for one in found if one.label == phase.label] for phase in numbered]

    def phase(self, label: str, rate: float, seconds: float, seed: int, *, even: bool = False) -> schedule.Phase:
        return schedule.Phase(label, self.urls[label], rate, seconds, self.seed * 100_000 + seed, even)

    def warm_up(self) -> None:
        self.samples([self.phase(label, *WARM_UP, seed=0) for label in self.urls])

    def find_knee(self, ceiling: float) -> Knee:
        """Raise the rate until the first engine no longer answers well, or the tool could not be believed.

        Every step asks all engines the same prompts at the same moments.
        """
        rate, kept = FIRST_RATE, FIRST_RATE / STEP
        first = next(iter(self.urls))
        for step in range(STEPS):
            if rate > ceiling / stats.CEILING:
                break
            self.say(f"load of {rate:.0f} requests/s")
            found = self.drive([self.phase(label, rate, STEP_SECONDS, seed=step + 1) for label in self.urls])
            self.steps += [Measured(label, "step", step, one) for label, one in zip(self.urls, found, strict=True)]
            now = self.steps[-len(self.urls)].figures
            if now.goodput < KNEE_GOODPUT or self.waits(first) > KNEE_WAIT:
                return Knee(kept, found=True)
            kept, rate = rate, rate * STEP
        return Knee(kept, found=False)

    def waits(self, label: str) -> float:
        """How much longer the first token takes than at the lowest load; infinite when none comes."""
        firsts = [one.figures.ttft["p50"] or math.inf for one in self.steps if one.label == label]
        return firsts[-1] / firsts[0] if firsts[0] < math.inf else math.inf

    def windows(self, rates: Mapping[str, float], windows: int, pairs: int) -> None:
        """Windows of pairs, of each kind of load: both engines one after the other, the first one by turns."""
        for start in range(0, windows, TOGETHER):
            now = range(start, min(start + TOGETHER, windows))
            planned = [one for window in now for one in self.window(window, rates, pairs)]
            found = self.drive([phase for _, _, phase in planned])
            self.measured += [
                Measured(phase.label, kind, window, figures)
                for (window, kind, phase), figures in zip(planned, found, strict=True)
            ]
            self.say(f"{now.stop} of {windows} windows")

    def window(self, window: int, rates: Mapping[str, float], pairs: int) -> list[Planned]:
        planned = []
        for pair in range(window * pairs, (window + 1) * pairs):
            labels = list(self.urls) if pair % 2 == 0 else list(self.urls)[::-1]
            for kind, rate in rates.items():
                seconds = min(SECONDS[kind], MOST_REQUESTS / rate)
                planned += [(window, kind, self.phase(label, rate, seconds, 1000 + pair)) for label in labels]
        return planned


def rest(phase: schedule.Phase) -> tuple[str, float, float, int, bool]:
    return phase.url, phase.rate, phase.seconds, phase.seed, phase.even


def ceiling(session: Session, server_cores: Sequence[int]) -> float:
    """The highest rate that the tool keeps against a server that costs nothing, and beside it on the same cores."""
    port = free_port()
    command = cpu.pinned(server_cores, sys.executable, "-m", "perf.blank", str(port))
    server = subprocess.Popen(command, cwd=engine.ROOT)  # noqa: S603
    url = f"http://127.0.0.1:{port}"
    try:
        engine.listening(port)
        highest(session, url, CEILING_RATES[:1])  # warm-up
        kept = highest(session, url, CEILING_RATES)
        return max(kept, highest(session, url, between(kept)))
    finally:
        engine.end(server)


def between(kept: float) -> list[float]:
    """Finer steps from a rate that was kept to the next one that was not; below the first when none was."""
    low = kept or CEILING_RATES[0] / 2
    return [low * 2 ** (part / (CEILING_BETWEEN + 1)) for part in range(1, CEILING_BETWEEN + 1)]


def highest(session: Session, url: str, rates: Sequence[float]) -> float:
    """The highest of these rates that the tool keeps; 0 when it is none."""
    phases = [schedule.Phase("blank", url, rate, 1.0, 1) for rate in rates]
    found = session.samples(phases)
    return max((phase.rate for phase, one in zip(phases, found, strict=True) if keeps(one, phase)), default=0.0)


def keeps(samples: Sequence[sample.Sample], phase: schedule.Phase) -> bool:
    """Whether the tool sent all of the phase in time, and had every answer."""
    alone = stats.Tool()
    alone.add(samples, phase.rate, phase.seconds)
    return not alone.doubts(float("inf")) and all(one.outcome == sample.OK for one in samples)
