"""The two pictures of a report: what happened over time, and what each gate knew."""

from itertools import pairwise

from markupsafe import Markup

from release import figure
from release.figure import Frame
from release.report import Bucket, Point, Series, Timeline, Weights

WIDTH, LEFT, RIGHT = 1080.0, 52.0, 16.0
TOP, FLOOR = 1e9, 1e-3  # e-values grow without bound; above this nobody reads the difference


def timeline(found: Timeline, seconds: float) -> Markup:
    """Weights above, outcomes below, on one time axis."""
    end = max([seconds, *(bucket.t + found.bucket_seconds for bucket in found.outcomes)])
    above = Frame(LEFT, 48, WIDTH - LEFT - RIGHT, 130, 0, end, 0, 100, root=True)
    most = figure.round_top(max([1, *totals(found.outcomes).values()]) / found.bucket_seconds)
    below = Frame(LEFT, 228, WIDTH - LEFT - RIGHT, 130, 0, end, 0, most)
    parts = [figure.text(0, 12, "canary weight (square-root scale)", "caption")]
    parts += figure.grid(above, (0, 1, 5, 25, 100), ("0 %", "1 %", "5 %", "25 %", "100 %"))
    for index, release in enumerate(found.weights):
        parts += weights(above, release, index)
    parts.append(figure.text(0, 206, "user requests per second", "caption"))
    parts += figure.grid(below, (0, most / 2, most), ("0", f"{most / 2:g}", f"{most:g}"))
    parts += bars(below, found)
    parts += figure.time_axis(below)
    return figure.svg(WIDTH, 384, "Canary weight and outcomes of user requests over time", parts)


def weights(frame: Frame, release: Weights, index: int) -> list[str]:
    """The release's stairs with its name where it began."""
    points = [(point.t, point.weight) for point in release.points]
    if not points:
        return []
    drawn = figure.stairs(frame, points)
    start = frame.x(points[0][0])
    css = f"release{index % 3}"
    return [
        figure.path(drawn, f"area {css}", frame.bottom),
        figure.path(drawn, f"stroke {css}"),
        figure.line(start, frame.top - 8, start, frame.bottom, "mark"),
        figure.text(start + 5, frame.top - 8, release.version, "name"),
    ]


def totals(outcomes: list[Bucket]) -> dict[float, int]:
    found: dict[float, int] = {}
    for bucket in outcomes:
        found[bucket.t] = found.get(bucket.t, 0) + bucket.ok + bucket.bad + bucket.not_judged
    return found


def bars(frame: Frame, found: Timeline) -> list[str]:
    """Stacked per bucket: stable, canary, and the bad ones on top where they are seen."""
    parts, height = [], dict.fromkeys(totals(found.outcomes), 0.0)
    width = max(frame.x(found.bucket_seconds) - frame.x(0) - 1, 0.8)
    layers = [("stable", "ok"), ("canary", "ok"), ("stable", "not_judged"), ("canary", "not_judged")]
    for arm, outcome in [*layers, ("stable", "bad"), ("canary", "bad")]:
        for bucket in found.outcomes:
            count = getattr(bucket, outcome)
            if bucket.arm != arm or not count:
                continue
            low = height[bucket.t]
            height[bucket.t] = low + count / found.bucket_seconds
            top = frame.y(height[bucket.t])
            tip = f"{figure.minutes(bucket.t)}  {arm}: {count} {outcome.replace('_', ' ')}"
            parts.append(figure.bar(frame.x(bucket.t), top, width, frame.y(low) - top, f"{arm} {outcome}", tip))
    return parts


def evidence(series: Series, fail_at: float, pass_at: float) -> Markup:
    """One gate and source over time, log scale, with the lines that decide."""
    ends = [point.t for point in series.points] or [0.0, 1.0]
    frame = Frame(40, 12, 470, 150, min(ends), max(max(ends), min(ends) + 1), FLOOR, TOP, log=True)
    parts = figure.grid(frame, (1e-3, 1, 1e3, 1e6, 1e9), ("0.001", "1", "10³", "10⁶", "10⁹"))
    for value, css in ((fail_at, "fail"), (pass_at, "pass")):
        parts.append(figure.line(frame.left, frame.y(value), frame.right, frame.y(value), f"limit {css}"))
    parts += steps(frame, series.points)
    for points in unbroken(series.points):
        parts.append(drawn(frame, points, "unacceptable", "stroke pass"))
        parts.append(drawn(frame, points, "fail", "stroke fail"))
    parts += figure.time_axis(frame, 6)
    # At the left: a step's evidence begins at 1, so the words are in nobody's way there.
    parts.append(figure.text(frame.left + 5, frame.y(fail_at) - 5, f"stop at {fail_at:,.0f}", "word fail"))
    parts.append(figure.text(frame.left + 5, frame.y(pass_at) + 13, f"pass at {pass_at:,.0f}", "word pass"))
    return figure.svg(520, 186, f"Evidence of gate {series.gate}, {series.source}s, {series.release}", parts)


def drawn(frame: Frame, points: list[Point], name: str, css: str) -> str:
    known = [(point.t, getattr(point, name)) for point in points if getattr(point, name) is not None]
    pixels = [(frame.x(t), frame.y(value)) for t, value in known]
    if len(pixels) == 1:  # a step that was decided at its first reading is still worth a mark
        pixels.append((pixels[0][0] + 3, pixels[0][1]))
    return figure.path(pixels, css)


def unbroken(points: list[Point]) -> list[list[Point]]:
    """Evidence begins anew at each step: no line from one to the next."""
    runs: list[list[Point]] = []
    for point in points:
        if runs and runs[-1][-1].step == point.step:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def steps(frame: Frame, points: list[Point]) -> list[str]:
    """A thin line and the weight where a step begins."""
    begun = [points[0], *(b for a, b in pairwise(points) if a.step != b.step)] if points else []
    parts = []
    for point in begun:
        if point.step:
            parts.append(figure.line(frame.x(point.t), frame.top, frame.x(point.t), frame.bottom, "mark"))
            parts.append(figure.text(frame.x(point.t) + 4, frame.bottom - 5, f"{point.step} %", "tick"))
    return parts
