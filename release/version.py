"""Versions: SemVer from conventional commits, their changelog, and the annotated tag that keeps both."""

import re
from dataclasses import dataclass

from semver import Version

from release.errors import Locked, Unconventional
from release.history import Commit, History, identity

CONVENTIONAL = re.compile(r"(?P<type>[a-z]+)(\((?P<scope>[^()]+)\))?(?P<breaking>!)?: (?P<text>\S.*)")
TAG = re.compile(r"v\d+\.\d+\.\d+")
HEADINGS = {"feat": "Features", "fix": "Fixes", "perf": "Performance", "revert": "Reverts"}
TYPES = {*HEADINGS, "build", "chore", "ci", "docs", "refactor", "style", "test"}
FIRST = Version(0, 1, 0)
ATTEMPTS = 5
RUNS = "environments/*/release.yaml"  # which version is to run where: no change of the code


@dataclass(frozen=True)
class Change:
    """One conventional commit."""

    kind: str
    scope: str
    text: str
    breaking: bool
    sha: str


@dataclass(frozen=True)
class Next:
    """The version that a commit has or gets; where nothing in it asks for one, that of a commit before it."""

    name: str
    changelog: str
    new: bool  # its tag is still to be made
    own: bool  # this very commit's


def change_of(commit: Commit) -> Change:
    """Raises Unconventional, naming the commit, when its subject is not `type(scope): text`."""
    found = conventional(commit.subject, commit.sha[:12])
    breaking = bool(found["breaking"]) or "BREAKING CHANGE:" in commit.body
    return Change(found["type"], found["scope"] or "", found["text"], breaking, commit.sha)


def conventional(subject: str, whose: str) -> re.Match[str]:
    """The subject's parts. Raises Unconventional, saying whose it is."""
    found = CONVENTIONAL.fullmatch(subject)
    if not found or found["type"] not in TYPES:
        raise Unconventional(
            f"{whose}: {subject[:60]!r} is no conventional commit; "
            f"write `type(scope): text` with a type of {', '.join(sorted(TYPES))}"
        )
    return found


def bumped(before: Version | None, changes: list[Change]) -> Version | None:
    """The next version, None when no change is one that users see; before 1.0.0 a breaking change is a minor one."""
    if not any(one.breaking or one.kind in HEADINGS for one in changes):
        return None
    if before is None:
        return FIRST
    if any(one.breaking for one in changes):
        return before.bump_major() if before.major else before.bump_minor()
    return before.bump_minor() if any(one.kind == "feat" for one in changes) else before.bump_patch()


def changelog(changes: list[Change]) -> str:
    """What users see, under one heading per kind; breaking changes come first."""
    parts = [("Breaking changes", [one for one in changes if one.breaking])]
    for kind, title in HEADINGS.items():
        parts.append((title, [one for one in changes if one.kind == kind and not one.breaking]))
    return "\n\n".join("\n".join([title + ":", *map(line_of, found)]) for title, found in parts if found)


def line_of(change: Change) -> str:
    scope = f"{change.scope}: " if change.scope else ""
    return f"- {scope}{change.text} ({change.sha[:8]})"


def tags(history: History, *which: str) -> list[str]:
    """The version tags that git lists, newest version first; `which` are its own words, like --merged and a commit."""
    found = [one for one in history.git("tag", *which).split() if TAG.fullmatch(one)]
    return sorted(found, key=lambda one: Version.parse(one[1:]), reverse=True)


def following(history: History, commit: str) -> Next:
    """The version for a commit of the released branch, by the commits since the last tag; changes nothing.

    A commit whose changes a later one's version has needs none of its own: that number would be higher, for older code.

    Raises:
        Unconventional: one of those commits has another kind of message.
    """
    last = next(iter(tags(history, "--merged", commit)), "")
    if last and history.sha(last) == history.sha(commit):
        return Next(last, text_of(history, last), new=False, own=True)
    if later := tags(history, "--contains", commit):
        return Next(later[-1], "", new=False, own=False)
    changes = changes_of(history, f"{last}..{commit}" if last else commit)
    version = bumped(Version.parse(last[1:]) if last else None, changes)
    if version is None:
        return Next(last, "", new=False, own=False)
    if history.sha(f"refs/tags/v{version}"):  # of a commit that is not in this one's past, like another branch's
        version = bumped(Version.parse(tags(history)[0][1:]), changes)
    return Next(f"v{version}", changelog(changes), new=True, own=True)


def changes_of(history: History, names: str) -> list[Change]:
    """Of a revision range; a release, promotion or revert that an environment was given is none, whatever its title."""
    run = {one.sha for one in history.commits(names, RUNS, single=True)}
    code = {one.sha for one in history.commits(names, f":(exclude){RUNS}", single=True)}
    found = [change_of(one) for one in history.commits(names, single=True)]
    return [one for one in found if one.sha not in run - code]


def text_of(history: History, tag: str) -> str:
    return history.git("tag", "--list", "--format=%(contents:body)", tag).strip()


def tagged(history: History, commit: str) -> Next:
    """Make and push the commit's annotated tag, once; of two merges at once the newer has both's changes in any case.

    Raises:
        Locked: other merges took every version that was tried.
    """
    for _ in range(ATTEMPTS):
        history.fetch()
        found = following(history, commit)
        if not found.new:
            return found
        sha, message = history.sha(commit), f"{found.name}\n\n{found.changelog}\n"
        words = ["--annotate", "--force", "--cleanup=verbatim", "--file=-", found.name, sha]
        history.git("tag", *words, stdin=message, env=identity())
        ref = f"refs/tags/{found.name}"
        made = history.git("rev-parse", ref).strip()
        history.git("tag", "--delete", found.name)  # it is here once it is there, or a push that failed would look done
        if history.push(made, ref, ""):
            history.git("update-ref", ref, made)
            return found
    raise Locked("the remote refuses every tag: are tags protected against this token?")
