"""Go modules that lab/tools pins: their versions, and their sources on disk."""

import json
from pathlib import Path

from lab import paths
from lab.process import run

PINS = paths.ROOT / "lab/tools"
GO = paths.CACHE / "go/bin/go"  # laid there by lab/install


def version(folder: str, path: str) -> str:
    """The version at which lab/tools/<folder>/go.mod requires a module, like `v1.36.3`."""
    for line in (PINS / folder / "go.mod").read_text().splitlines():
        words = line.removeprefix("require").split()
        if words[:1] == [path] and words[1:]:
            return words[1]
    raise LookupError(f"lab/tools/{folder}/go.mod does not require {path}")


def source(folder: str, path: str) -> Path:
    """Where a module's sources lie; downloaded, and checked against go.sum, when missing."""
    said = run(GO, "-C", PINS / folder, "mod", "download", "-json", f"{path}@{version(folder, path)}")
    return Path(json.loads(said)["Dir"])
