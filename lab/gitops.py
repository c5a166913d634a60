"""`python -m lab.gitops`: a team's days on a real forge, with its workflows executed; writes build/gitops/report.json.

No cluster is needed: the environments name none, so that a deployment ends where it would begin.
"""

import json
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from lab import paths, tools
from lab.errors import LabError
from lab.gitea import Forge
from lab.office import Office
from lab.scenes import SCENES, Scene
from release import checkout
from release.errors import ReleaseError

OUT = paths.ROOT / "build/gitops"
WORK = Path("/var/tmp/sluice-gitops")  # noqa: S108 - the forge runs as another user, who must be able to enter it


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - progress is this command's output


def row(scene: Scene, office: Office) -> dict[str, Any]:
    """A scenario's row; one that breaks down is a failed one, with the reason."""
    began, expected = time.monotonic(), " ".join((scene.__doc__ or "").split())
    try:
        seen = scene(office)
    except (LabError, ReleaseError, OSError, ValueError, LookupError) as error:
        seen = {f"{type(error).__name__}: {error}": False}
    ok, took = all(seen.values()), round(time.monotonic() - began, 1)
    return {"name": scene.__name__.replace("_", "-"), "expected": expected, "seen": seen, "ok": ok, "seconds": took}


def main() -> int:
    report: dict[str, Any] = {**checkout.origin(), "scenarios": []}
    OUT.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(WORK, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that forge and registry end with it
    try:
        tools.ensure(say, ["act", "cosign", "gitea", "helm"])
        with Forge(WORK / "forge") as forge:
            office = Office(forge, WORK / "office")
            office.protected("ci")
            for scene in SCENES:
                done = row(scene, office)
                report["scenarios"].append(done)
                say(f"{'ok    ' if done['ok'] else 'FAILED'} {done['name']}, {done['seconds']} s")
                for what in [one for one, good in done["seen"].items() if not good]:
                    say(f"         not so: {what}")
                (OUT / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    except (LabError, ReleaseError) as error:
        print(f"gitops: {error}", file=sys.stderr)  # noqa: T201
        return error.code
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    failed = sum(not one["ok"] for one in report["scenarios"])
    say(f"{len(report['scenarios']) - failed} passed, {failed} failed; {OUT / 'report.json'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
