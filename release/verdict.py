"""What follows a verdict: the audit log, the commit's status, and for an abort a release.yaml that says what runs."""

from release import audit
from release.audit import Entry
from release.forge import Forge
from release.history import History
from release.write import Written, digest, path_of, release_at, way_of, write

MARKS = {"promoted": "success", "aborted": "failure"}


def settle(history: History, forge: Forge | None, entry: Entry) -> Written | None:
    """Write a verdict down and, when it is an abort that git does not know of, take the release back.

    Can be run any number of times: the audit log keeps one line, and a release that git no longer names stays alone.
    """
    history.fetch()
    found = release_at(history, history.main, entry.environment)
    if found is None or found[1].version != entry.version:
        audit.write(history, entry)  # somebody has gone on meanwhile: the verdict is kept, git is right already
        return None
    text = found[0]
    audit.write(history, Entry(**(vars(entry) | {"release": digest(text)})))
    if forge is not None:
        mark(history, forge, entry)
    return revert(history, forge, entry, text) if entry.verdict == "aborted" else None


def mark(history: History, forge: Forge, entry: Entry) -> None:
    """The status of the commit that the version was made of, else of the one that wrote it into the environment."""
    sha = history.sha(f"refs/tags/{entry.version}")
    wrote = history.commits(history.main, path_of(entry.environment))
    state = "success" if entry.verdict == "promoted" else "failure"
    said = f"{entry.version} {entry.verdict}{': ' + entry.reason if entry.reason else ''}"
    for one in dict.fromkeys([sha, *(commit.sha for commit in wrote[:1])]):
        if one:
            forge.mark(one, f"sluice/{entry.environment}", state, said, entry.link)  # type: ignore[arg-type]


def revert(history: History, forge: Forge | None, entry: Entry, text: str) -> Written | None:
    """Make release.yaml what it was before the failed release; None when there was nothing before it."""
    before = previous(history, entry.environment, text)
    if before is None:
        return None
    older, version = before
    title = f"revert({entry.environment}): {entry.version} was stopped, {version} is what runs"
    body = "\n".join(filter(None, [f"Reason: {entry.reason or 'none given'}", *entry.evidence, entry.link]))
    branch, way = f"revert/{entry.environment}/{entry.version}", way_of(history, entry.environment)
    written = write(history, forge, entry.environment, older, title, body, branch, way)
    done = Entry(entry.environment, entry.version, "reverted", reason=f"{version} is what runs", link=written.link)
    if written.changed:
        audit.write(history, done)
    return written


def previous(history: History, environment: str, text: str) -> tuple[str, str] | None:
    """The newest release.yaml before this one that was promoted here, else the newest other one; with its version."""
    good, path, other = audit.promoted(history, environment), path_of(environment), None
    for commit in history.commits(history.main, path):
        found = release_at(history, commit.sha, environment)
        if found is None or found[0] == text:
            continue
        if digest(found[0]) in good:
            return found[0], found[1].version
        other = other or (found[0], found[1].version)
    return other
