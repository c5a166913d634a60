"""What a run was made from: the commit that is checked out, and when it started."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from release.errors import Refused

ROOT = Path(__file__).parent.parent


def commit(root: Path = ROOT) -> str:
    """The commit that is checked out at `root`; `-dirty` after it when files differ from it.

    Raises:
        Refused: it is no git checkout.
    """
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Refused(f"{root}: no commit there to name the result by; commit first, or give --commit")
    return done.stdout.strip()


def origin(root: Path = ROOT) -> dict[str, str]:
    """What every report begins with; to be asked for when the run starts: `commit`, `started`."""
    return {"commit": commit(root), "started": datetime.now(UTC).isoformat(timespec="seconds")}
