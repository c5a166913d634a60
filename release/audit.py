"""The audit log: who released what, when, on which evidence, with which verdict; lines on a branch of its own."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from release.abort import author
from release.history import Files, History

BRANCH = "sluice-audit"
ONCE = ("verdict", "reverted")  # Argo tells at least once


@dataclass(frozen=True)
class Entry:
    """One line: `what` is recorded, approval, verdict, reverted, promotion or rollback."""

    environment: str
    version: str
    what: str
    verdict: str = ""
    reason: str = ""
    release: str = ""  # sha256 of the release.yaml it is about
    evidence: list[str] = field(default_factory=list)
    link: str = ""
    who: str = field(default_factory=author)
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    run: str = field(default_factory=lambda: os.environ.get("GITHUB_RUN_ID", ""))


def path_of(environment: str) -> str:
    return f"{environment}.jsonl"


def write(history: History, entry: Entry) -> None:
    """Add a line at the end; another writer in between loses nothing. A verdict and its revert are written once."""
    path, line = path_of(entry.environment), json.dumps(asdict(entry), ensure_ascii=False)

    def added(tip: str) -> tuple[Files, str]:
        old = history.text(tip, path) or ""
        if entry.what in ONCE and told_already(parsed(old), entry):
            return {}, ""
        return {path: f"{old}{line}\n"}, f"{entry.environment}: {entry.version} {entry.verdict or entry.what}"

    history.amend(BRANCH, added)


def told_already(lines: list[Entry], entry: Entry) -> bool:
    """Whether the last verdict, or what followed it, is this very line."""
    last = max((number for number, one in enumerate(lines) if one.what == "verdict"), default=len(lines))
    said = entry.what, entry.version, entry.verdict, entry.release
    return any((one.what, one.version, one.verdict, one.release) == said for one in lines[last:])


def parsed(text: str) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in text.splitlines() if line]


def read(history: History, environment: str = "", version: str = "") -> list[Entry]:
    """The lines, oldest first, of one environment or all, of one version or all."""
    tip = history.remote_tip(f"refs/heads/{BRANCH}")
    if not tip:
        return []
    names = [path_of(environment)] if environment else history.git("ls-tree", "--name-only", tip).split()
    found = [one for name in names for one in parsed(history.text(tip, name) or "")]
    return sorted((one for one in found if version in ("", one.version)), key=lambda one: one.when)


def chosen(entries: list[Entry], what: str, who: str, since: str) -> list[Entry]:
    """Those that answer a question; an empty part asks nothing. Times are ISO 8601 in UTC: they sort as text."""
    return [
        one for one in entries if what in ("", one.what, one.verdict) and who in ("", one.who) and one.when >= since
    ]


def recorded(history: History, version: str) -> bool:
    """Whether any environment was given that version: its images are made, and stand there by digest."""
    return any(one.what == "recorded" for one in read(history, version=version))


def promoted(history: History, environment: str) -> dict[str, Entry]:
    """The last good verdict of each release.yaml (by its sha256) that was promoted there and not stopped since."""
    return {release: one for release, one in judged(history, environment).items() if one.verdict == "promoted"}


def judged(history: History, environment: str) -> dict[str, Entry]:
    """The last verdict of each release.yaml (by its sha256) there."""
    return {one.release: one for one in read(history, environment) if one.what == "verdict"}


def shown(entry: Entry) -> str:
    told: list[Any] = [entry.when, entry.environment, entry.version, entry.verdict or entry.what, f"by {entry.who}"]
    return "  ".join([*told, *([entry.reason] if entry.reason else [])])
