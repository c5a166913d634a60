"""Promote: a pull request that copies one file, release.yaml, from an environment where it was promoted to the next."""

from release import audit
from release.audit import Entry
from release.errors import NotVerified
from release.forge import Forge
from release.history import History
from release.write import Written, digest, path_of, release_at, way_of, write


def promote(history: History, forge: Forge | None, source: str, target: str) -> Written:
    """Open the pull request, or find the one that is open.

    Raises:
        NotVerified: this very file has no good verdict in `source`, or it was stopped in `target` before.
    """
    history.fetch()
    found = release_at(history, history.main, source)
    if found is None:
        raise NotVerified(f"{path_of(source)}: not on {history.branch}; release to {source} first")
    text, release = found
    verified = audit.promoted(history, source).get(digest(text))
    if verified is None:
        raise NotVerified(f"{release.version} has no good verdict in {source}; wait for it (`sluice audit {source}`)")
    stopped(history, target, text, release.version)
    title, branch = f"chore({target}): promote {release.version}", f"promote/{target}/{release.version}"
    body = body_of(source, target, verified, approval(history, source, release.version))
    written = write(history, forge, target, text, title, body, branch, way_of(history, target))
    if written.changed:
        audit.write(history, Entry(target, release.version, "promotion", release=digest(text), link=written.link))
    return written


def stopped(history: History, target: str, text: str, version: str) -> None:
    """Raise NotVerified when this very release was stopped in the target: its verdict is already known."""
    verdicts = [one for one in audit.read(history, target, version) if one.what == "verdict"]
    if verdicts and verdicts[-1].verdict == "aborted" and verdicts[-1].release == digest(text):
        why = verdicts[-1].reason or "no reason given"
        raise NotVerified(f"{version} was stopped in {target} ({why}); correct it and release another version")


def approval(history: History, source: str, version: str) -> Entry | None:
    """Who let it go on where it comes from, and what both arms answered then; None where nobody was asked."""
    found = [one for one in audit.read(history, source, version) if one.what == "approval"]
    return found[-1] if found else None


def body_of(source: str, target: str, verified: Entry, approved: Entry | None = None) -> str:
    """What a reviewer needs: where it was judged, by whom, on what evidence."""
    lines = [f"`{path_of(source)}` becomes `{path_of(target)}`, and nothing else changes.", ""]
    lines += [f"{verified.version} was promoted in {source} at {verified.when} (release by {verified.who})."]
    lines += [f"- {one}" for one in verified.evidence]
    lines += [f"Report: {verified.link}"] if verified.link else []
    if approved is not None:
        head = f"<details><summary>Both arms' answers, as {approved.who} saw them on {approved.when}</summary>"
        lines += ["", head, "", *approved.evidence, "", "</details>"]
    return "\n".join([*lines, "", f"Approve to run the same canary in {target}; `sluice rollback` takes it back."])
