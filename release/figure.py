"""The report's figures as inline SVG; colours come from the page's style sheet, so that light and dark both work."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True)
class Frame:
    """A plotting area: pixels from data, time to the right, values upwards."""

    left: float
    top: float
    width: float
    height: float
    start: float
    end: float
    low: float
    high: float
    log: bool = False
    root: bool = False  # a square-root scale shows 1 % beside 100 %

    def x(self, t: float) -> float:
        return round(self.left + self.width * (t - self.start) / max(self.end - self.start, 1e-9), 1)

    def y(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log10(max(value, low)), math.log10(low), math.log10(high)
        share = (min(max(value, low), high) - low) / (high - low)
        share = math.sqrt(share) if self.root else share
        return round(self.top + self.height * (1 - share), 1)

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def right(self) -> float:
        return self.left + self.width


def svg(width: float, height: float, label: str, parts: Iterable[str]) -> Markup:
    head = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704  # every text in it went through escape()


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{css}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{css}"/>'


def bar(x: float, y: float, width: float, height: float, css: str, title: str = "") -> str:
    tip = f"<title>{escape(title)}</title>" if title else ""
    return f'<rect x="{x:g}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{css}">{tip}</rect>'


def path(points: Sequence[tuple[float, float]], css: str, closed: float | None = None) -> str:
    """A line through pixels; with `closed`, the area down to that height."""
    if not points:
        return ""
    drawn = "M" + "L".join(f"{x:g},{y:g}" for x, y in points)
    if closed is not None:
        drawn += f"L{points[-1][0]:g},{closed:g}L{points[0][0]:g},{closed:g}Z"
    return f'<path d="{drawn}" class="{css}"/>'


def stairs(frame: Frame, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A weight holds until the next one, so its line goes sideways before it goes up."""
    drawn: list[tuple[float, float]] = []
    for t, value in points:
        if drawn:
            drawn.append((frame.x(t), drawn[-1][1]))
        drawn.append((frame.x(t), frame.y(value)))
    return drawn


def minutes(seconds: float) -> str:
    """1:05, or 2:10:00 from an hour on."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def times(frame: Frame, count: int = 9) -> list[float]:
    """Round moments for the time axis, about `count` of them."""
    span = frame.end - frame.start
    step = next((tick for tick in TICKS if span / tick <= count), 86400.0 * math.ceil(span / 86400 / count))
    first = math.ceil(frame.start / step)
    return [index * step for index in range(first, int(frame.end // step) + 1)]


def time_axis(frame: Frame, count: int = 9) -> list[str]:
    parts = [line(frame.left, frame.bottom, frame.right, frame.bottom, "axis")]
    for t in times(frame, count):
        x = frame.x(t)
        parts.append(text(x, frame.bottom + 16, minutes(t), "tick", "end" if x > frame.right - 14 else "middle"))
    return parts


def grid(frame: Frame, values: Iterable[float], words: Iterable[str]) -> list[str]:
    parts = []
    for value, word in zip(values, words, strict=True):
        y = frame.y(value)
        parts += [line(frame.left, y, frame.right, y, "grid"), text(frame.left - 8, y + 4, word, "tick", "end")]
    return parts


def round_top(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … that is not below the value."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value - 1e-9)
