"""What the lab releases: images of commits in a clone, so that each is one that a team could have made."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import images, paths
from lab.process import run
from lab.stage import Images
from model import damage, pin
from release import build

Say = Callable[[str], None]
REPOSITORY = f"{paths.REGISTRY}/sluice"
AUTHOR = ("-c", "user.name=Sluice lab", "-c", "user.email=lab@sluice.invalid")


@dataclass(frozen=True)
class Source:
    """A checkout at a commit."""

    folder: Path
    commit: str


def clone(folder: Path) -> Source:
    """A clone of this checkout with its uncommitted changes, as a commit of the clone's own."""
    shutil.rmtree(folder, ignore_errors=True)
    git(paths.ROOT, "clone", "--quiet", "--local", ".", str(folder))
    listed = git(paths.ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        copy(paths.ROOT / name, folder / name)
    return committed(folder, "chore: what is not committed yet")


def copy(source: Path, target: Path) -> None:
    if not source.exists() and not source.is_symlink():
        target.unlink(missing_ok=True)  # deleted, and not committed yet
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink():
        target.unlink()
    shutil.copy2(source, target, follow_symlinks=False)


def committed(folder: Path, message: str) -> Source:
    """Commit everything in the clone, when there is anything."""
    git(folder, "add", "--all")
    if git(folder, "status", "--porcelain"):
        git(folder, *AUTHOR, "commit", "--quiet", "--message", message)
    return Source(folder, git(folder, "rev-parse", "HEAD").strip())


def git(folder: Path, *arguments: str) -> str:
    return run("git", "-C", folder, *arguments)


def retrained(source: Source, seed: int) -> Source:
    """The next commit: the model with other weights."""
    command = [sys.executable, "-m", "model.make", "--seed", str(seed)]
    subprocess.run(command, cwd=source.folder, check=True, capture_output=True)  # noqa: S603
    return committed(source.folder, f"feat(model): weights of seed {seed}")


def changed(source: Source, change: str) -> Source:
    return retrained(source, seed=2) if change == "retrained" else damaged(source, change)


def damaged(source: Source, change: str) -> Source:
    """The next commit: what `model/damage.py` calls so is done to the model, and pinned as if it were meant."""
    folder, file = source.folder / "model/tiny", source.folder / "model/model.yaml"
    before = pin.load(file)
    damage.CHANGES[change](folder)
    known = {name: getattr(before, name) for name in ("id", "served_name", "args", "components")}
    pin.save(pin.of(folder, file, revision=change.replace(" ", "-"), **known), file)
    return committed(source.folder, f"feat(model): {change}")


def relaunched(source: Source, argument: str) -> Source:
    """The next commit: the engine is started with one argument more, and nothing else changes."""
    file = source.folder / "model/model.yaml"
    lines = file.read_text(encoding="utf-8").replace("args:\n", f"args:\n- {argument}\n", 1)
    file.write_text(lines, encoding="utf-8")
    return committed(source.folder, f"perf(model): start the engine with {argument}")


def model_of(source: Source) -> dict[str, str]:
    """The part of release.yaml that says which model runs."""
    found = pin.load(source.folder / "model/model.yaml")
    return {"id": found.id, "revision": found.revision, "sha256": found.sha256}


class Yard:
    """Builds releases and pushes them to the lab's registry; a context, for it starts a builder of its own."""

    def __init__(self, client: Any, say: Say) -> None:
        self.client, self.say = client, say

    def fake(self, source: Source) -> Images:
        """A release whose engine is the fake one."""
        python = images.ensured(self.client, images.python_name(), images.make_python, self.say)
        gateway = self.image("gateway", source, {"PYTHON_BASE": python})
        stand_in = images.stand_ins(self.client, gateway, self.say)
        return Images(gateway, stand_in, stand_in, model_of(source))

    def real(self, source: Source) -> Images:
        """A release whose engine is vLLM."""
        bases = images.bases(self.client, self.say).arguments
        gateway = self.image("gateway", source, bases)
        stand_in = images.stand_ins(self.client, gateway, self.say)
        return Images(gateway, self.image("engine", source, bases), stand_in, model_of(source))

    def next_fake(self, before: Images, source: Source) -> Images:
        """The fake engine answers the same for every model: only the release says another."""
        return replace(before, model=model_of(source))

    def gateway(self, before: Images, kind: str) -> str:
        """The next release's gateway: another image that works as well, or one with a fault of the lab's."""
        if kind == "good":
            return images.derived(self.client, before.gateway, "gateway-good", ("LABEL sluice.lab=next",), self.say)
        lines = (f"ENV SLUICE_LAB_FAULT={kind}", 'ENTRYPOINT ["python3", "-m", "lab.door"]')
        return images.derived(self.client, before.lab, f"gateway-{kind.replace('_', '-')}", lines, self.say)

    def next_real(self, before: Images, source: Source) -> Images:
        """A release that changes the engine alone: the gateway before it stays as it is."""
        bases = images.bases(self.client, self.say).arguments
        return replace(before, engine=self.image("engine", source, bases), model=model_of(source))

    def image(self, target: str, source: Source, bases: dict[str, str]) -> str:
        bundle = os.environ.get("SSL_CERT_FILE")
        order = build.Order(
            target,
            REPOSITORY,
            "v0.0.0",
            source.commit,
            source.folder,
            bases,
            Path(bundle) if bundle else None,
            tags=(source.commit[:12],),
        )
        return build.make(self.client, order, self.say).reference
