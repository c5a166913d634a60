"""What follows a verdict: the audit log, the commit's status, and for an abort a release.yaml that says what runs."""

from collections.abc import Callable
from dataclasses import replace

from release import audit
from release.audit import Entry
from release.cluster import State
from release.forge import Forge
from release.history import REVERT, Commit, History
from release.write import Written, digest, path_of, release_at, restore, way_of, write

NOTHING = "no version before it was good here"
MARKS = {"promoted": "success", "aborted": "failure"}
Evidence = Callable[[], list[str]]


def settle(history: History, forge: Forge | None, entry: Entry, evidence: Evidence = list) -> Written | None:
    """After an abort that git does not know of take the release back, then write the verdict down.

    Git comes first, for whoever deploys meanwhile reads it; `evidence` may take its time. It can be run any number of
    times: the audit log keeps one line, and a release that git no longer names stays alone.
    """
    history.fetch()
    commits = history.commits(history.main, path_of(entry.environment))
    text = written(history, entry, commits)
    current = bool(text) and text == history.text(history.main, path_of(entry.environment))
    back = revert(history, forge, entry, text) if current and entry.verdict == "aborted" else None
    if current and back is None and entry.verdict == "aborted":
        entry = replace(entry, reason=f"{entry.reason}; {NOTHING}".removeprefix("; "))
    audit.write(history, replace(entry, release=digest(text) if text else "", evidence=evidence()))
    if back is not None and back[0].changed:
        done = Entry(entry.environment, entry.version, "reverted", reason=f"{back[1]} is what runs", link=back[0].link)
        audit.write(history, done)
    if forge is not None and current:
        mark(history, forge, entry, commits[0].sha)
    return back[0] if back is not None else None


def withheld(part: str, engine: State, gateway: State | None, version: str) -> str:
    """Why one part's promotion is not the release's yet, for the other part's then tells it; empty when it is."""
    if part == "gateway":
        done = engine.version == version and engine.verdict() == "promoted"
        return "" if done else "its gateway is promoted, and its engine has no verdict yet"
    if gateway is None or gateway.served:
        return ""
    return f"its engine is ready, and no pod of its gateway has been: {gateway.message or 'they start'}"


def written(history: History, entry: Entry, commits: list[Commit]) -> str:
    """The newest release.yaml of that version, empty when this environment never had it."""
    for one in commits:
        found = release_at(history, one.sha, entry.environment)
        if found is not None and found[1].version == entry.version:
            return found[0]
    return ""


def mark(history: History, forge: Forge, entry: Entry, wrote: str) -> None:
    """The status of the commit that the version was made of, and of the one that wrote it into the environment."""
    state = "success" if entry.verdict == "promoted" else "failure"
    said = f"{entry.version} {entry.verdict}{': ' + entry.reason if entry.reason else ''}"
    for one in dict.fromkeys([history.sha(f"refs/tags/{entry.version}"), wrote]):
        if one:
            forge.mark(one, f"sluice/{entry.environment}", state, said, entry.link)  # type: ignore[arg-type]


def revert(history: History, forge: Forge | None, entry: Entry, text: str) -> tuple[Written, str] | None:
    """Make release.yaml what it was before the failed release, and say of which version that is; None if of none."""
    before = previous(history, entry.environment, text)
    if before is None:
        return None
    older, version = before
    title = f"revert({entry.environment}): {entry.version} was stopped, {version} is what runs"
    body = "\n".join(filter(None, [f"Reason: {entry.reason or 'none given'}", entry.link and f"Report: {entry.link}"]))
    branch, way = f"{REVERT}/{entry.environment}/{entry.version}", way_of(history, entry.environment)
    if way == "direct":
        return restore(history, lambda: forge, entry.environment, older, title, body, branch), version
    return write(history, forge, entry.environment, older, title, body, branch, way), version


def previous(history: History, environment: str, text: str) -> tuple[str, str] | None:
    """The newest release.yaml before this one that was promoted here, else the newest unjudged; with its version."""
    judged, path, other = audit.judged(history, environment), path_of(environment), None
    for commit in history.commits(history.main, path):
        found = release_at(history, commit.sha, environment)
        if found is None or found[0] == text:
            continue
        last = judged.get(digest(found[0]))
        if last is None:
            other = other or (found[0], found[1].version)
        elif last.verdict == "promoted":
            return found[0], found[1].version
    return other
