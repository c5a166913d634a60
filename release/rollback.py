"""Rollback: the environment's release.yaml as it was for a version, with today's gates."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from release import audit
from release.audit import Entry
from release.environment import parsed
from release.errors import UnknownVersion
from release.forge import Forge, connect
from release.history import BACK, History
from release.write import Written, digest, document, path_of, release_at, restore

CLOSED = "the released branch takes no commit from here"
ASKED = (
    "Merge it, so that git says what was rolled back to: a cluster does not wait for a review and may run it by now."
)
TAG = re.compile(r"(?:refs/tags/)?deploy/(?P<environment>[^/]+)/(?P<version>v\d+\.\d+\.\d+\S*)")


@dataclass(frozen=True)
class Found:
    text: str  # of the release.yaml to write
    version: str
    before: bool  # it was promoted in this very environment, so it may skip the steps
    source: str  # the environment it was found in


def named(ref: str) -> tuple[str, str]:
    """Environment and version of a tag like deploy/prod/v1.2.0; raises UnknownVersion for any other name."""
    found = TAG.fullmatch(ref)
    if not found:
        raise UnknownVersion(f"{ref}: no tag of a rollback; push one like deploy/prod/v1.2.0")
    return found["environment"], found["version"]


def find(history: History, environment: str, version: str, gates: str) -> Found:
    """The release of that version: this environment's own if it had it, else the one that another environment has.

    Image, model and settings are as they were; `gates` (sha256 of today's) is what it is judged by from now on.

    Raises:
        UnknownVersion: no tag of that name, or no environment ever had it; nothing was changed.
    """
    history.fetch()
    if not history.sha(f"refs/tags/{version}"):
        raise UnknownVersion(f"{version}: no such tag; `git tag --list 'v*'` shows those there are")
    good = audit.promoted(history, environment)
    names = history.git("ls-tree", "-d", "--name-only", history.main, "--", "environments/").split()
    others = [name.rsplit("/", 1)[-1] for name in names]
    for source in [environment, *(name for name in others if name != environment)]:
        for commit in history.commits(history.main, path_of(source)):
            found = release_at(history, commit.sha, source)
            if found is not None and found[1].version == version:
                text = judged_by(found[0], gates)
                return Found(text, version, source == environment and was_good(good, found[0], version), source)
    raise UnknownVersion(f"{version}: no environment ever had it; release it first")


def was_good(good: dict[str, Entry], text: str, version: str) -> bool:
    """By the file's hash, or by version where a rollback before this one has written today's gates into it."""
    return digest(text) in good or any(one.version == version for one in good.values())


def judged_by(text: str, gates: str) -> str:
    release = parsed(text, "release.yaml")["release"]
    return (
        text if release["gates"].removeprefix("sha256:") == gates else document(release | {"gates": f"sha256:{gates}"})
    )


def rollback(
    history: History, environment: str, found: Found, why: str, asked: Callable[[], Forge | None] = connect
) -> Written:
    """Write it directly, for a rollback waits for nobody's review; where the branch is closed, by a pull request.

    Raises:
        Locked: the branch is closed, and there is no forge to ask.
    """
    title, branch = f"revert({environment}): roll back to {found.version}", branch_of(environment, found.version)
    return restore(history, asked, environment, found.text, title, why, branch, ASKED)


def branch_of(environment: str, version: str) -> str:
    return f"{BACK}/{environment}/{version}"


def told(written: Written, environment: str, version: str) -> str:
    if written.link:
        return " ".join(filter(None, [f"{CLOSED}: merge {written.link}, so that git says {version} too", written.note]))
    return written.commit[:12] if written.changed else f"{environment} has {version} already"


def logged(history: History, environment: str, found: Found, why: str, written: Callable[[], Written]) -> None:
    """Into the audit log, once it is written and was not there before."""
    if written().changed:
        release, link = digest(found.text), written().link
        audit.write(history, Entry(environment, found.version, "rollback", reason=why, release=release, link=link))
