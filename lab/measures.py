"""What users noticed of a release, and how soon a bad one was seen: from the records of each request."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.outcome import BAD
from lab.timeline import Moment

HANGS = frozenset(("timeout_ttft", "timeout_idle"))
Record = dict[str, Any]


def read(file: Path) -> list[Record]:
    """Every request of `requests.jsonl`, as DESIGN's outcome names and unix seconds."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class Noticed:
    """Numbers of user requests; `failed_stable` includes those without an answer."""

    total: int
    failed: int
    failed_stable: int
    cut_streams: int


def noticed(records: Iterable[Record]) -> Noticed:
    users = [one for one in records if one["source"] == "user"]
    failed = [one for one in users if one["outcome"] != "ok"]
    return Noticed(
        total=len(users),
        failed=len(failed),
        failed_stable=sum(one["arm"] != "canary" for one in failed),
        cut_streams=sum(one["outcome"] == "stream_truncated" for one in failed),
    )


def first_bad(records: Iterable[Record], began: float) -> float | None:
    """When the first canary request judged bad ended (a hang: when it began), unix seconds.

    Whoever answered it: a rescued request counts for the arm that failed it.
    """
    seen = [
        one["started"] if one["outcome"] in HANGS else one["ended"]
        for one in records
        if one["intended"] >= began and (one["rescued"] or (one["arm"] == "canary" and one["outcome"] in BAD))
    ]
    return min(seen, default=None)


def detect_seconds(records: Iterable[Record], moments: Sequence[Moment]) -> float | None:
    """From the first bad canary request to weight 0, seconds; None when nothing was bad or nothing was stopped."""
    stopped = next((one.at for one in moments if one.abort and one.weight == 0), None)
    bad = first_bad(records, moments[0].at) if moments else None
    return None if stopped is None or bad is None else max(0.0, stopped - bad)
