"""`python -m lab.gitops`: a team's days on a real forge, with its workflows executed; writes build/gitops/report.json.

First without a cluster, where a deployment ends as it would begin; then with the lab as the cluster.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import httpx2

from lab import cluster, paths, process, site, tools
from lab.deliveries import DELIVERIES
from lab.errors import LabError, Refused
from lab.firsts import FIRSTS
from lab.forked import own_fork
from lab.gated import GATED
from lab.gitea import Forge
from lab.holds import HOLDS
from lab.mishaps import MISHAPS
from lab.office import Office
from lab.proof import PROOF
from lab.restores import RESTORES
from lab.reverts import REVERTS
from lab.scenes import SCENES, Seen
from release import checkout
from release.errors import ReleaseError

OUT = paths.ROOT / "build/gitops"
WORK = Path("/var/tmp/sluice-gitops")  # noqa: S108 - the forge runs as another user, who must be able to enter it


Scene = Callable[[Any], Seen]
PARTS: tuple[tuple[str, site.Tier, tuple[Scene, ...]], ...] = (
    ("cluster", "fake", (*DELIVERIES, *MISHAPS, *HOLDS, *FIRSTS)),
    ("engine", "real", RESTORES),
)


ALONE = ("forge", "gates")  # need no cluster
WHOLE = "e2e"  # makes a lab of its own, which must not be up then


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - progress is this command's output


def row(scene: Scene, place: Any) -> dict[str, Any]:
    """A scenario's row; one that breaks down is a failed one, with the reason."""
    began, expected = time.monotonic(), " ".join((scene.__doc__ or "").split())
    try:
        seen = scene(place)
    except (LabError, ReleaseError, httpx2.HTTPError, OSError, ValueError, LookupError) as error:
        seen = {f"{type(error).__name__}: {error}": False}
    except subprocess.SubprocessError as error:  # its own text holds the whole command line, and so tokens
        seen = {f"{type(error).__name__}: {program(error)}": False}
    ok, took = all(seen.values()), round(time.monotonic() - began, 1)
    return {"name": scene.__name__.replace("_", "-"), "expected": expected, "seen": seen, "ok": ok, "seconds": took}


def program(error: subprocess.SubprocessError) -> str:
    """The name of the program that took too long or failed."""
    command = getattr(error, "cmd", None) or ["a program of ours"]
    return Path(command if isinstance(command, str) else command[0]).name


class Book:
    """The report, written after every scene."""

    def __init__(self, names: Collection[str] = ()) -> None:
        self.names = names  # of scenes; empty: all
        shutil.rmtree(OUT, ignore_errors=True)
        OUT.mkdir(parents=True)
        self.report: dict[str, Any] = {**checkout.origin(), "scenarios": []}

    def play(self, scenes: Iterable[Scene], place: Any) -> None:
        for scene in scenes:
            if self.names and scene.__name__ not in self.names:
                continue
            done = row(scene, place)
            self.report["scenarios"].append(done)
            say(f"{'ok    ' if done['ok'] else 'FAILED'} {done['name']}, {done['seconds']} s")
            for what in [one for one, good in done["seen"].items() if not good]:
                say(f"         not so: {what}")
            (OUT / "report.json").write_text(json.dumps(self.report, indent=1, ensure_ascii=False) + "\n")

    def failed(self) -> int:
        rows = self.report["scenarios"]
        failed = sum(not one["ok"] for one in rows)
        say(f"{len(rows) - failed} passed, {failed} failed; {OUT / 'report.json'}")
        return 1 if failed or not rows else 0


def team(forge: Forge, name: str) -> Office:
    """A repository of its own, whose runs are kept beside the report."""
    office = Office(forge, WORK / name, name)
    office.logs = OUT / name
    office.protected("ci")
    return office


def played(book: Book, part: str) -> None:
    """A lab that this starts ends with it; raises Refused where the cluster is not the lab's own."""
    if paths.EXISTING and part not in ALONE:
        raise Refused(f"gitops: its namespaces are those of environments: unset LAB, or ask for one of {ALONE}")
    running = cluster.healthy(cluster.NAMES)
    if running and part in ("all", WHOLE):
        raise Refused("gitops: the e2e workflow makes a lab of its own: `make lab-down` first, or ask for another part")
    with Forge(WORK / "forge") as forge:
        try:
            if part in ("all", "forge"):
                book.play((*SCENES, *REVERTS, own_fork), team(forge, "llm"))
            if part in ("all", "gates"):
                book.play(GATED, team(forge, "judged"))
            if part in ("all", WHOLE):
                book.play(PROOF, team(forge, "proof"))
            for name, tier, scenes in PARTS:
                if part in ("all", name):
                    with site.opened(team(forge, name), WORK / "site" / name, say, tier) as place:
                        book.play(scenes, place)
        finally:
            if not running and process.running():
                cluster.down(say)


def main() -> int:
    parser = argparse.ArgumentParser(prog="gitops", description="A team's days on a real forge.")
    parser.add_argument("part", nargs="?", choices=("all", "forge", "gates", WHOLE, "cluster", "engine"), default="all")
    parser.add_argument("names", nargs="*", help="only these scenes; most build on those before them")
    asked = parser.parse_args()
    part = asked.part
    shutil.rmtree(WORK, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that forge and registry end with it
    book = Book(asked.names)
    try:
        tools.ensure(say, ["act", "cosign", "gitea", "helm"])
        if part not in ALONE:
            tools.ensure(say)
        played(book, part)
    except (LabError, ReleaseError) as error:
        print(f"gitops: {error}", file=sys.stderr)  # noqa: T201
        return error.code
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    return book.failed()


if __name__ == "__main__":
    sys.exit(main())
