"""Building with BuildKit, through the docker command line: the SDK speaks only the classic builder's protocol."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from release.errors import BuildFailed, Refused

Say = Callable[[str], None]
STEP = re.compile(r"#\d+ (\[.+\] .+)")


def wanted() -> bool:
    """Docker's own switch: DOCKER_BUILDKIT=1."""
    return os.environ.get("DOCKER_BUILDKIT", "0") not in ("", "0")


def build(archive: IO[bytes], arguments: Sequence[str], target: str, say: Say) -> str:
    """Build what the context's tar holds, at the daemon that DOCKER_HOST names; returns the image's id.

    Raises:
        Refused: there is no docker command line.
        BuildFailed: a step failed; what it said is named.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise Refused("docker: not on PATH; install its command line, or unset DOCKER_BUILDKIT for the classic builder")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "id"
        line = [docker, "build", "--progress=plain", "--network=host", f"--iidfile={written}"]
        process = subprocess.Popen(  # noqa: S603 - a program that was found, with our own arguments
            [*line, f"--target={target}", *arguments, "-"],
            stdin=archive,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
        )
        last = followed(process.stdout or (), target, say)
        if process.wait() or not written.is_file():
            raise BuildFailed(f"building {target} failed: {last[:300]}")
        return written.read_text().strip()


def followed(lines: Iterable[str], target: str, say: Say) -> str:
    """Say each step once; returns the last line that names an error, else the last that said anything."""
    last, error, said = "no output", "", set()
    for text in (line.strip() for line in lines):
        last = text or last
        error = text if text.startswith(("ERROR:", "failed to ")) else error
        if (step := STEP.fullmatch(text)) and step[1] not in said:
            said.add(step[1])
            say(f"{target}: {step[1][:100]}")
    return error or last
