"""Workflows, executed: act runs their jobs as processes of this machine, with a real forge's events."""

import json
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import leftovers, paths

SECONDS = 900
EVENT = ".git/event.json"  # of a clone
USED = re.compile(r"uses: ([\w.-]+/[\w.-]+@[0-9a-f]{40})")
CHECKOUT = "actions/checkout@"  # act's own: the clone is there already
# act fetches every action before it looks at an `if`; one that a run here does come to turns it red
ABSENT = """runs:
  using: composite
  steps: [{run: "echo 'this action is not on this machine' >&2; exit 1", shell: bash}]
"""
ENDED = re.compile(r"^\[[^/\]]+/([\w-]+) *\][^|\n]*Job (succeeded|failed)$", re.M)
SUDO = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
exec "$@"
"""  # for root, on a machine that has none
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ran:
    """One run of a workflow."""

    workflow: str
    code: int
    log: str
    seconds: float

    @property
    def green(self) -> bool:
        return self.code == 0

    @property
    def jobs(self) -> dict[str, bool]:
        """Each job that ran, and whether it was green; a skipped one is not there."""
        return {name: how == "succeeded" for name, how in ENDED.findall(self.log)}

    def says(self, words: str) -> bool:
        return words in self.log


@dataclass(frozen=True)
class Runner:
    """What every job is given; `token` is the workflow's own."""

    forge: str
    token: str
    actor: str
    env: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, clone: Path, workflow: str, event: str, payload: Mapping[str, Any], *only: str) -> Ran:
        """Run the jobs of one workflow file for one event; `only` narrows them as act's own options do."""
        (clone / EVENT).write_text(json.dumps(payload))
        mark = f"sluice_{uuid.uuid4()}"
        words = [*self.command(clone, workflow, event), "--env", f"{leftovers.MARK}={mark}", *only]
        # act reads the secret in its environment
        env = os.environ | {"GITHUB_TOKEN": self.token, "PATH": programs(clone), leftovers.MARK: mark}
        log = clone / f".git/{workflow}.log"  # a pipe would be open for as long as what an interrupted run left
        began = time.monotonic()
        try:
            with log.open("wb") as out:
                done = subprocess.run(  # noqa: S603 - the lab's own
                    words, cwd=clone, stdout=out, stderr=out, check=False, timeout=SECONDS, env=env
                )
        except BaseException:
            leftovers.end(mark)
            raise
        said = COLOUR.sub("", log.read_text(errors="replace"))
        return Ran(workflow, done.returncode, said, round(time.monotonic() - began, 1))

    def command(self, clone: Path, workflow: str, event: str) -> list[str]:
        words = [str(paths.BIN / "act"), event, "--workflows", f".github/workflows/{workflow}.yml"]
        words += ["--eventpath", str(clone / EVENT), "--platform", "ubuntu-latest=-self-hosted", "--actor", self.actor]
        words += ["--secret", "GITHUB_TOKEN"]
        jobs = {"SLUICE_FORGE": self.forge, "GITHUB_ACTOR": self.actor, **self.env}
        words += [word for key, value in jobs.items() for word in ("--env", f"{key}={value}")]
        words += [word for key, value in self.variables.items() for word in ("--var", f"{key}={value}")]
        words += [word for one in elsewhere(clone) for word in ("--local-repository", one)]
        return words


def programs(clone: Path) -> str:
    """Where a job finds programs: this machine's, and a sudo that a hosted runner has."""
    path = os.environ["PATH"]
    if shutil.which("sudo") or os.geteuid() != 0:
        return path
    file = clone / ".git/programs/sudo"
    file.parent.mkdir(exist_ok=True)
    file.write_text(SUDO)
    file.chmod(0o755)
    return f"{file.parent}:{path}"


def elsewhere(clone: Path) -> list[str]:
    """Each action of somebody else's that a workflow names, with the folder that stands in for it."""
    folder = clone / ".git/absent"
    folder.mkdir()
    (folder / "action.yml").write_text(ABSENT)
    found = {one for file in (clone / ".github").rglob("*.yml") for one in USED.findall(file.read_text())}
    return [f"{one}={folder}" for one in sorted(found) if not one.startswith(CHECKOUT)]
