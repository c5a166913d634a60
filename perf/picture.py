"""Latency against load, one line per engine, for a person in a hurry."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from perf.session import Measured
from perf.stats import Slo

PANELS = (("ttft", "time to first token"), ("tpot", "time per token"))
COLOURS = {"baseline": "#555555", "candidate": "#0072b2"}
NAMES = {"baseline": "live release", "candidate": "candidate"}


def draw(steps: Sequence[Measured], knee: float, slo: Slo, verdict: str, file: Path) -> None:
    """Median as a line, P99 dotted; the bound of gates.yaml and the knee are marked."""
    picture = Figure(figsize=(11, 4.5), layout="constrained")
    picture.suptitle(f"Latency against load: {verdict}")
    for axes, (name, title) in zip(picture.subplots(1, 2), PANELS, strict=True):
        for label in dict.fromkeys(one.label for one in steps):
            mine = [one.figures for one in steps if one.label == label]
            rates, colour = [one.asked_rate for one in mine], COLOURS[label]
            for part, style in (("p50", "-o"), ("p99", ":")):
                heights = [1000 * (getattr(one, name)[part] or float("nan")) for one in mine]
                axes.plot(rates, heights, style, color=colour, label=f"{NAMES[label]}, {part}")
        axes.axhline(1000 * getattr(slo, name), color="#d55e00", linewidth=1)
        axes.annotate("bound", (rates[0], 1000 * getattr(slo, name)), color="#d55e00", va="bottom")
        axes.axvline(knee, color="#999999", linewidth=1, linestyle="--")
        axes.annotate("knee", (knee, axes.get_ylim()[0]), color="#777777", rotation=90, va="bottom", ha="right")
        axes.set(title=title, xlabel="requests per second, as asked", ylabel="milliseconds", xscale="log", yscale="log")
    axes.legend(loc="upper left", fontsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=110)
