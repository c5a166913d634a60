"""What a run comes to: verdicts, one JSON file, and a table."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perf import stats
from perf.session import BASELINE, CANDIDATE, FLOOD, KNEE_GOODPUT, STEADY, Measured
from perf.stats import Bounds, Figures, Ratio, Tool

# name -> (the load it is read from, value of a phase, whether more is better)
METRICS: dict[str, tuple[str, Callable[[Figures], float | None], bool]] = {
    "tokens_per_second": (FLOOD, lambda one: one.tokens_per_second, True),
    "ttft_p50": (STEADY, lambda one: one.ttft["p50"], False),
    "tpot_p50": (STEADY, lambda one: one.tpot["p50"], False),
    "e2e_p50": (STEADY, lambda one: one.e2e["p50"], False),
}


@dataclass(frozen=True)
class Judged:
    verdict: str
    metrics: dict[str, Ratio]

    def document(self, bounds: Bounds) -> dict[str, Any]:
        return {"verdict": self.verdict, **{name: one.document(bounds) for name, one in self.metrics.items()}}


def values(measured: Sequence[Measured], label: str, metric: str) -> list[float]:
    kind, value, _ = METRICS[metric]
    return [value(one.figures) or math.nan for one in measured if (one.label, one.kind) == (label, kind)]


def compared(measured: Sequence[Measured], metric: str, confidence: float) -> Ratio:
    old, new = values(measured, BASELINE, metric), values(measured, CANDIDATE, metric)
    if METRICS[metric][2]:
        return stats.ratio(old, new, confidence)
    return stats.ratio(new, old, confidence)


def judged(measured: Sequence[Measured], bounds: Bounds) -> Judged:
    """Every metric of which something was measured."""
    kinds = {one.kind for one in measured}
    ratios = {
        name: compared(measured, name, bounds.confidence) for name, (kind, *_) in METRICS.items() if kind in kinds
    }
    return Judged(stats.together([one.verdict(bounds) for one in ratios.values()]), ratios)


def by_window(measured: Sequence[Measured], bounds: Bounds) -> list[Judged]:
    """Each window as a run of its own."""
    numbers = sorted({one.window for one in measured})
    return [judged([one for one in measured if one.window == number], bounds) for number in numbers]


def floor_verdicts(
    measured: Sequence[Measured], steps: Sequence[Measured], hardware: str, floors: dict[str, float]
) -> list[dict[str, Any]]:
    """Good answers at the lowest load, whatever the hardware; tokens per second where gates.yaml names it."""
    answered = next((one.figures.goodput for one in steps if one.label == CANDIDATE), 0.0)
    found = [floor("goodput at the lowest load", answered, KNEE_GOODPUT)]
    if hardware in floors:
        reached = [one for one in values(measured, CANDIDATE, "tokens_per_second") if not math.isnan(one)]
        found.append(floor(f"tokens/s on {hardware}", max(reached, default=0.0), floors[hardware]))
    return found


def floor(name: str, reached: float, needed: float) -> dict[str, Any]:
    verdict = stats.PASS if reached >= needed else stats.FAIL
    return {"name": name, "reached": reached, "needed": needed, "verdict": verdict}


def document(found: Judged, bounds: Bounds, tool: Tool, ceiling: float) -> dict[str, Any]:
    """The keys that every run has; `ratio` and `ci` are those of the metric that decided."""
    doubts = tool.doubts(ceiling)
    metrics = {name: one.document(bounds) for name, one in found.metrics.items()}
    decided = min(metrics, key=lambda name: found.metrics[name].low) if metrics else None  # says most against it
    return {
        "valid": not doubts,
        "doubts": doubts,
        "verdict": found.verdict,
        "metric": decided,
        "ratio": metrics[decided]["ratio"] if decided else None,
        "ci": metrics[decided]["ci"] if decided else None,
        "metrics": metrics,
        "bounds": asdict(bounds),
        "schedule_p99_ms": tool.schedule_p99 * 1000,
        "sent_share": tool.sent_share,
        "ceiling": ceiling,
        "ceiling_ratio": ceiling / tool.highest_rate if tool.highest_rate else None,
    }


def rows(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    return [{"engine": one.label, "load": one.kind, "window": one.window, **asdict(one.figures)} for one in measured]


def save(report: dict[str, Any], file: Path) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")
    part.replace(file)


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"


def table(steps: Sequence[Measured], report: dict[str, Any]) -> str:
    """Load steps, then the comparison, for a terminal."""
    lines = [
        f"{'req/s':>6} {'engine':<10} {'goodput':>7} {'tok/s':>7} {'TTFT p50/p99':>14} {'TPOT p50':>9} {'failed':>6}"
    ]
    for one in steps:
        now = one.figures
        ttft = f"{milliseconds(now.ttft['p50'])}/{milliseconds(now.ttft['p99'])} ms"
        lines.append(
            f"{now.asked_rate:6.1f} {one.label:<10} {now.goodput:7.0%} {now.tokens_per_second:7.0f} {ttft:>14}"
            f" {milliseconds(now.tpot['p50']):>6} ms {sum(now.failures.values()):6d}"
        )
    lines.append("")
    for name, one in report["metrics"].items():
        low, high = one["ci"]
        lines.append(f"{name:<18} {one['ratio']:.3f} of the live release's [{low:.3f}, {high:.3f}]: {one['verdict']}")
    valid = "valid" if report["valid"] else "NOT VALID: " + "; ".join(report["doubts"])
    lines.append(
        f"schedule p99 {report['schedule_p99_ms']:.1f} ms, the tool can do {report['ceiling_ratio'] or 0:.1f} times"
        f" what was asked: {valid}"
    )
    return "\n".join(lines)
