"""Latency against load, one line per engine, and what the comparison came to: for a person in a hurry."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from perf.session import BASELINE, CANDIDATE, Knee, Measured
from perf.stats import Slo

PANELS = {"ttft": "until the first token", "tpot": "for each further token"}
COLOURS = {BASELINE: "#555555", CANDIDATE: "#0072b2"}
NAMES = {BASELINE: "live release", CANDIDATE: "candidate"}
METRICS = {
    "tokens_per_second": "tokens/s",
    "ttft_p50": "first token",
    "tpot_p50": "per token",
    "e2e_p50": "whole answer",
}
BAD, GOOD, FAINT = "#d55e00", "#009e73", "#888888"
WORDS = {
    "pass": "PASS: the candidate is as fast as the live release",
    "fail": "FAIL: the candidate is slower than the live release",
    "unsure": "UNSURE: not enough evidence for either verdict",
}
LEGEND = "half wait less than the line, 99 of 100 less than the shade"
FIRST = {"pass": "PASS: a first release, within its floors", "fail": "FAIL: a first release, below its floors"}


def draw(steps: Sequence[Measured], knee: Knee, slo: Slo, found: Mapping[str, Any], file: Path) -> None:
    """Two panels of latency against load; a third with the ratios, where two engines were compared."""
    metrics = {name: one for name, one in found["metrics"].items() if name in METRICS}
    panels = 3 if metrics else 2
    picture = Figure(figsize=(5 * panels, 4.6), layout="constrained")
    picture.suptitle(headline(found), fontsize=15, fontweight="bold", color=tint(found))
    axes = picture.subplots(1, panels)
    for place, (name, title) in zip(axes, PANELS.items(), strict=False):
        latency(place, steps, name, getattr(slo, name))
        mark(place, knee)
        place.set_title(f"Waiting {title}")
    axes[0].set_ylabel("milliseconds")
    axes[0].legend(loc="upper left", frameon=False, bbox_to_anchor=(0, 0.93), title=LEGEND, alignment="left")
    if metrics:
        ratios(axes[2], metrics, found["bounds"])
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=110)


def headline(found: Mapping[str, Any]) -> str:
    if not found["valid"]:
        return f"NOT VALID: {found['doubts'][0]}"
    if shown := found.get("proof"):
        return f"The same engine twice: {shown['passed']} of {len(shown['windows'])} windows pass"
    words = FIRST if found.get("first_release") else WORDS
    return words.get(found["verdict"], WORDS["unsure"])


def tint(found: Mapping[str, Any]) -> str:
    return GOOD if found["valid"] and found["verdict"] == "pass" else BAD


def latency(axes: Axes, steps: Sequence[Measured], name: str, bound: float) -> None:
    """Each engine's median as a line with its name at the end, shaded up to the 99th percentile."""
    rates: list[float] = []
    for label in dict.fromkeys(one.label for one in steps):
        mine = [one.figures for one in steps if one.label == label]
        rates = [one.asked_rate for one in mine]
        half, most = ([milliseconds(getattr(one, name)[part]) for one in mine] for part in ("p50", "p99"))
        axes.plot(rates, half, "-o", color=COLOURS[label], linewidth=2, label=NAMES[label])
        axes.fill_between(rates, half, most, color=COLOURS[label], alpha=0.15, linewidth=0)
    axes.set(xscale="log", yscale="log", xlabel="requests per second")
    axes.axhline(1000 * bound, color=BAD, linewidth=1.5)
    axes.annotate("too slow above", (rates[0], 1000 * bound), color=BAD, xytext=(0, 3), textcoords="offset points")
    plain(axes, rates)


def milliseconds(seconds: float | None) -> float:
    return float("nan") if seconds is None else 1000 * seconds


def plain(axes: Axes, rates: Sequence[float]) -> None:
    """Numbers as people write them, and a tick for each load that was tried."""
    axes.set_xticks(list(rates), [f"{rate:.0f}" for rate in rates])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, color="#eeeeee")
    axes.spines[["top", "right"]].set_visible(False)


def mark(axes: Axes, knee: Knee) -> None:
    """Where the engine has had enough; nothing when no load was too much."""
    if knee.found:
        axes.axvspan(knee.rate, axes.get_xlim()[1], color=FAINT, alpha=0.12, linewidth=0)
        axes.axvline(knee.rate, color=FAINT, linestyle="--")
        side = "right" if knee.rate**2 > axes.get_xlim()[0] * axes.get_xlim()[1] else "left"  # where there is room
        axes.annotate(
            f" knee: {knee.rate:.0f}/s, \n beyond it a queue grows ",
            (knee.rate, 0.5),
            xycoords=("data", "axes fraction"),
            ha=side,
            va="bottom",
            color=FAINT,
        )


def ratios(axes: Axes, metrics: Mapping[str, Mapping[str, Any]], bounds: Mapping[str, float]) -> None:
    """Each metric's ratio with its interval, before the zones that decide."""
    least = min(0.7, *(one["ci"][0] for one in metrics.values()))
    most = max(1.2, *(min(one["ci"][1], 2.0) for one in metrics.values()))
    axes.axvspan(least - 0.05, bounds["unacceptable"], color=BAD, alpha=0.18, linewidth=0)
    axes.axvspan(bounds["unacceptable"], bounds["tolerated"], color="#f0e442", alpha=0.25, linewidth=0)
    axes.axvspan(bounds["tolerated"], most + 0.05, color=GOOD, alpha=0.12, linewidth=0)
    axes.axvline(1, color=FAINT, linewidth=1)
    for height, one in enumerate(metrics.values()):
        low, high = one["ci"]
        axes.plot([low, min(high, most)], [height, height], color=COLOURS[CANDIDATE], linewidth=3)
        axes.plot(one["ratio"], height, "o", color=COLOURS[CANDIDATE], markersize=8)
        axes.annotate(
            f"{one['ratio']:.2f}", (one["ratio"], height), xytext=(0, 8), textcoords="offset points", ha="center"
        )
    axes.set_yticks(range(len(metrics)), [METRICS[name] for name in metrics])
    axes.set(xlim=(least - 0.05, most + 0.05), ylim=(len(metrics) - 0.4, -0.6), title="Candidate against live release")
    axes.set_xlabel("<  slower        times as fast        faster  >")
    axes.spines[["top", "right"]].set_visible(False)
