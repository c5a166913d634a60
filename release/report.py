"""The report of a run: its document as a model, and one HTML page made of it that needs nothing from outside."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from release.errors import Refused
from release.page import rendered

Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Judged(Strict):
    """One release and how it ended; `detect_seconds` only where something bad was to be detected."""

    version: str
    verdict: Literal["promoted", "aborted", "waiting"]
    seconds: Seconds
    max_weight: Annotated[int, Field(ge=0, le=100)]
    detect_seconds: Seconds | None = None
    why: list[str] = []  # sentences, as `sluice explain` gives them, the most important one first


class Requests(Strict):
    """What users asked for and did not get; `failed_stable` are failures that the release did not cause."""

    total: Count
    failed: Count
    failed_stable: Count
    cut_streams: Count


class Footprint(Strict):
    """What the run took of the machine at most, over what was in use before."""

    memory_gib: Annotated[float, Field(ge=0)]
    disk_gib: Annotated[float, Field(ge=0)]


class Weight(Strict):
    t: Seconds  # since the start of the run, as everywhere below
    weight: Annotated[float, Field(ge=0, le=100)]


class Weights(Strict):
    """A release's canary weight over time; the last point is its end."""

    version: str
    points: list[Weight]


class Bucket(Strict):
    """Outcomes of user requests on one arm that ended between t and t + bucket_seconds."""

    t: Seconds
    arm: Literal["stable", "canary"]
    ok: Count = 0
    bad: Count = 0
    not_judged: Count = 0


class Timeline(Strict):
    bucket_seconds: Annotated[float, Field(gt=0)]
    weights: list[Weights]
    outcomes: list[Bucket]


class Point(Strict):
    """E-values at one moment; None where a gate had none yet."""

    t: Seconds
    step: str = ""
    tolerated: float | None = None
    stable: float | None = None
    unacceptable: float | None = None

    @property
    def fail(self) -> float | None:
        """Both must speak against the canary, so the weaker one is what counts."""
        return None if self.tolerated is None or self.stable is None else min(self.tolerated, self.stable)


class Series(Strict):
    gate: str
    source: Literal["user", "probe"]
    release: str
    points: list[Point]


class Sample(Strict):
    """One golden prompt and what both arms answered to it."""

    id: str
    question: str
    stable: str
    canary: str

    @property
    def same(self) -> bool:
        return self.stable == self.canary


class Report(Strict):
    """`report.json`: what a run did, in figures computed from its requests."""

    commit: str
    started: datetime
    took_seconds: Seconds
    engine: str
    releases: list[Judged]
    requests: Requests
    slack: list[str]
    footprint: Footprint | None = None
    timeline: Timeline | None = None
    evidence: list[Series] = []
    samples: list[Sample] = []
    fail_at: float = 1000.0
    pass_at: float = 100.0


def load(path: Path) -> Report:
    """Read report.json; raises Refused naming what is wrong in it."""
    try:
        return Report.model_validate_json(path.read_text())
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}); `make demo` writes one") from error
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"]) or "document"
        raise Refused(f"{path}: `{key}`: {wrong['msg']}; see release/report.py") from error


def save(report: Report, file: Path) -> None:
    """Write the document, and its page beside it."""
    file.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    file.with_suffix(".html").write_text(page(report), encoding="utf-8")


def page(report: Report) -> str:
    """The whole page."""
    from release.picture import evidence, timeline

    return rendered(
        Path(__file__).parent / "report.html.j2",
        {"seconds": spoken, "share": share, "mrkdwn": mrkdwn, "count": "{:,}".format},
        report=report,
        headline=headline(report),
        timeline=timeline(report.timeline, report.took_seconds) if report.timeline else None,
        evidence=[(series, evidence(series, report.fail_at, report.pass_at)) for series in report.evidence],
    )


def mrkdwn(text: str) -> Markup:
    """Slack's bold, and nothing else of its markup."""
    return Markup(re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", str(escape(text))))  # noqa: S704  # escaped first


def headline(report: Report) -> str:
    """The run in one sentence."""
    promoted = sum(one.verdict == "promoted" for one in report.releases)
    stopped = [one for one in report.releases if one.verdict == "aborted"]
    words = [f"{plural(promoted, 'release')} promoted"] if promoted else []
    words += [f"{one.version} stopped at {one.max_weight} %" + after(one.detect_seconds) for one in stopped]
    return ", ".join(words)[:1].upper() + ", ".join(words)[1:] if words else "No verdict yet"


def after(seconds: float | None) -> str:
    return "" if seconds is None else f" after {spoken(seconds)}"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def spoken(seconds: float) -> str:
    """23 s, 4 min 10 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def share(part: int, whole: int) -> str:
    """A percentage that never rounds a failure away."""
    if part == 0 or whole == 0:
        return "0 %"
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.2g} %"
