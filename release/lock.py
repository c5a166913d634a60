"""One deployment of an environment at a time: a ref of the shared repository that only one can make."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from release.abort import author
from release.environment import ROOT
from release.errors import Locked, Refused
from release.history import BACK, REVERT, History
from release.write import Written, path_of, release_at

STALE = 900.0  # seconds; a hand-over takes one or two minutes, so whoever holds it longer was killed
PAUSE = 1.0


@dataclass(frozen=True)
class Holder:
    key: str  # what is deployed: the same deployment run again takes its own lock over
    who: str
    since: float


def ref_of(environment: str) -> str:
    return f"refs/sluice/lock/{environment}"


def latest(folder: Path, fetched: History | None = None) -> None:
    """Make an environment's folder of this checkout what the released branch says now, or as it was just fetched."""
    history = History(ROOT)
    if fetched is None or fetched.root.resolve() != ROOT:
        history.fetch()
    if history.text(history.main, f"environments/{folder.name}/values.yaml") is not None:
        history.git("checkout", "--quiet", history.main, "--", f"environments/{folder.name}")


@contextmanager
def held(
    wanted: bool, environment: str, version: str, written: Callable[[], Written | None] = lambda: None
) -> Iterator[None]:
    """The lock of this checkout's remote when it is wanted; raises Refused when git says another version by then.

    `written` waits for what is written to git meanwhile, and raises its error. Where that is a pull request, git says
    the version once it is merged.
    """
    if not wanted:
        written()
        yield
        return
    history = History(ROOT)
    with lock(history, environment, version):
        made = written()
        history.fetch()
        if made is None or not made.link:
            named(history, environment, version)
        yield


def named(history: History, environment: str, version: str) -> None:
    """Raise Refused when git names another version, or will once a pull request that takes this one back is merged."""
    found = release_at(history, history.main, environment)
    if found is None:
        return
    if found[1].version != version:
        raise Refused(f"{environment}: {history.branch} says {found[1].version} by now; that one is to be deployed")
    if waits := waiting(history, environment, found[0]):
        way = "merge it, release another version, or delete that branch"
        raise Refused(f"{environment}: {version} is taken back by {waits}, which waits; {way}")


def waiting(history: History, environment: str, text: str) -> str:
    """The branch of a rollback or a revert that would replace this very release.yaml, empty when there is none."""
    folders = [f"refs/remotes/{history.remote}/{kind}/{environment}" for kind in (BACK, REVERT)]
    for seen in history.git("for-each-ref", "--format=%(refname)", *folders).split():
        branch = seen.removeprefix(f"refs/remotes/{history.remote}/")
        if replaces(history, seen, path_of(environment), text) and history.remote_tip(f"refs/heads/{branch}"):
            return branch
    return ""


def replaces(history: History, branch: str, path: str, text: str) -> bool:
    """Whether a branch changes this text, and the released branch has not had what it makes of it since then."""
    fork, after = history.fork(branch, history.main), history.text(branch, path)
    if history.text(fork, path) != text or after == text:
        return False
    return all(history.text(one.sha, path) != after for one in history.commits(f"{fork}..{history.main}", path))


@contextmanager
def lock(
    history: History, environment: str, key: str, patience: float = 300.0, clock: Callable[[], float] = time.time
) -> Iterator[None]:
    """Hold the environment's lock; waits up to `patience` seconds for another holder, then raises Locked."""
    mine = taken(history, environment, Holder(key, author(), clock()), patience, clock)
    try:
        yield
    finally:
        history.push("", ref_of(environment), mine)  # False: it was taken over as stale, and is another's now


def taken(history: History, environment: str, mine: Holder, patience: float, clock: Callable[[], float]) -> str:
    ref, until, free = ref_of(environment), clock() + patience, ""
    made = history.commit("", {"holder.json": json.dumps(asdict(mine))}, f"lock {environment}")
    while not history.push(made, ref, free):  # to try is to ask: mostly nobody holds it
        tip = history.remote_tip(ref)
        holder = holder_of(history, tip)
        if holder is not None and holder.key != mine.key and clock() - holder.since <= STALE:
            why = f"{holder.who} is deploying {holder.key}; run the same command again later"
        elif tip != free:
            free = tip
            continue
        else:
            why = f"the remote takes no lock; may this token write {ref}?"
        if clock() >= until:
            raise Locked(f"{environment}: {why}")
        time.sleep(min(PAUSE, max(patience, 0.05)))
    return made


def holder_of(history: History, tip: str) -> Holder | None:
    text = history.text(tip, "holder.json")
    return Holder(**json.loads(text)) if text else None
