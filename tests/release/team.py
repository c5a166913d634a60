"""A team's shared repository, real and bare, and a forge that keeps what it was asked."""

import subprocess
from pathlib import Path
from typing import Any

from release.forge import PullRequest
from release.history import History
from release.write import document, path_of, release_at

DIGEST = "sha256:" + "a" * 64
MODEL = {"id": "sluice-tiny", "revision": "r1", "sha256": "sha256:" + "b" * 64}
GATES = "c" * 64


def release_text(version: str, **changes: Any) -> str:
    """A release.yaml as `sluice` writes it."""
    images = {"gateway": f"127.0.0.1:5000/g@{DIGEST}", "engine": f"127.0.0.1:5000/e@{DIGEST}"}
    return document({"version": version, "images": images, "model": MODEL, "gates": f"sha256:{GATES}"} | changes)


class Team:
    """A bare repository that all share, and as many clones of it as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bare = folder, folder / "shared.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare)], check=True)
        self.history = History(self.bare.parent)
        files = {f"environments/{name}/values.yaml": VALUES[name] for name in VALUES}
        self.seed(files, "feat: the first one")
        self.history = self.clone("first")

    def seed(self, files: dict[str, str], message: str) -> None:
        bare = History(self.bare)
        bare.git("update-ref", "refs/heads/main", bare.commit("", files, message))

    def clone(self, name: str) -> History:
        subprocess.run(["git", "clone", "--quiet", str(self.bare), str(self.folder / name)], check=True)
        history = History(self.folder / name)
        history.fetch()
        return history

    def push(self, message: str, files: dict[str, str] | None = None) -> str:
        """Somebody's commit on the released branch."""
        self.history.fetch()
        tip = self.history.sha(self.history.main)
        made = self.history.commit(tip, files or {"notes.txt": message}, message)
        assert self.history.push(made, "refs/heads/main", tip)
        self.history.fetch()
        return made

    def releases(self, environment: str, *versions: str) -> None:
        for version in versions:
            self.push(f"chore({environment}): release {version}", {path_of(environment): release_text(version)})

    def close(self) -> None:
        """Protect the released branch: nothing may be pushed to it any more."""
        hook = self.bare / "hooks/update"
        hook.write_text('#!/bin/sh\ntest "$1" != refs/heads/main\n')
        hook.chmod(0o755)

    def version_in(self, environment: str) -> str:
        self.history.fetch()
        found = release_at(self.history, self.history.main, environment)
        return found[1].version if found else ""


VALUES = {
    "staging": "delivery: {writes: direct}\n",
    "prod": "delivery: {writes: pullRequest}\n",
}


class Board:
    """A forge that keeps what it was asked."""

    def __init__(self) -> None:
        self.pulls: list[PullRequest] = []
        self.marked: list[tuple[str, str, str]] = []
        self.started: list[tuple[str, str]] = []

    def open(self, head: str, base: str, title: str, body: str) -> PullRequest:
        for one in self.pulls:
            if one.head == head:
                return one
        number = len(self.pulls) + 1
        self.pulls.append(PullRequest(number, f"http://forge/{number}", title, body, head, base, "", False, "open"))
        return self.pulls[-1]

    def start(self, workflow: str, ref: str, inputs: dict[str, str]) -> None:
        self.started.append((workflow, ref))

    def mark(self, sha: str, context: str, state: str, text: str, url: str = "") -> None:
        self.marked.append((sha, context, state))
