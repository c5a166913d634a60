"""A fork: another name, another model, the five values of the README, and later a change of the template."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab import releases
from lab.errors import NotReady
from lab.office import Office
from lab.scenes import CI, Seen

NAME = "acme-chat"
FOLDERS = ("charts", "model", "monitoring", "release", "rollouts")
VALUES: Mapping[str, tuple[str, str]] = {  # file -> what a fork writes in place of what
    "environments/prod/values.yaml": ("  replicas: 4\n", "  replicas: 6\n"),
    "rollouts/gates.yaml": ("https://github.com/your-org/your-repo/", "https://forge.acme.example/acme/chat/"),
    "monitoring/notifications.yaml": ("slack:llm-releases", "slack:acme-releases"),
}
UPSTREAM: Mapping[str, tuple[str, str]] = {  # what the template changes later, in the same files
    "environments/prod/values.yaml": ("rollouts:\n", "rollouts: # paced by people's working hours\n"),
    "rollouts/gates.yaml": ("  quietRequests: 200 #", "  quietRequests: 210 #"),
    "monitoring/notifications.yaml": ("    username: sluice\n", "    username: releases\n"),
    "Makefile": ("## List the targets", "## List every target"),
}


def changed(folder: Path, words: Mapping[str, tuple[str, str]]) -> None:
    """Raises NotReady when a file no longer holds what is to be changed."""
    for name, (old, new) in words.items():
        text = (folder / name).read_text()
        if old not in text:
            raise NotReady(f"{name}: holds no {old!r}; correct lab/forked.py")
        (folder / name).write_text(text.replace(old, new, 1))


def made_ours(folder: Path) -> None:
    """What the README's table asks of a fork, done as it says."""
    changed(folder, VALUES)
    for environment in ("dev", "staging", "prod"):
        file = folder / f"environments/{environment}/values.yaml"
        file.write_text(file.read_text() + f"modelName: {NAME}\n")
    make(folder, "gates")
    releases.retrained(releases.Source(folder, ""), 2)


def make(folder: Path, target: str) -> str:
    done = subprocess.run(["make", target], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise NotReady(f"make {target}: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


def own_fork(office: Office) -> Seen:
    """A fork with its name, model and values: ci is green, nothing is deployed, and the next template merges."""
    acme = office.fork(NAME)
    clone = acme.clone("origin/main")
    made_ours(clone)
    releases.git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    words = [word for folder in FOLDERS for word in ("--matrix", f"folder:{folder}")]
    ran = acme.pushed("ci", "origin/main", "--job", "passed", *words)
    jobs = sorted({name.partition("-")[0] for name, green in ran.jobs.items() if green})
    released, deployed = acme.pushed("release", "origin/main"), acme.pushed("promote", "origin/main")
    upstream = office.clone("origin/main")
    changed(upstream, UPSTREAM)
    make(upstream, "gates")
    theirs = releases.committed(upstream, "feat: the template goes on").commit
    releases.git(clone, "fetch", "--quiet", str(upstream), theirs)
    releases.git(clone, *releases.AUTHOR, "merge", "--quiet", "--no-edit", "FETCH_HEAD")
    make(clone, "gates")
    return {
        f"green: {', '.join(jobs)}": ran.green and jobs == CI,
        "nothing is released": released.green and not released.says("sluice version"),
        "nothing is deployed": deployed.green and not deployed.says("handed over"),
        "the merge has both": both(clone),
        "generated files follow": releases.git(clone, "status", "--porcelain") == "",
    }


def both(clone: Path) -> bool:
    """Whether each file says what the fork wrote, and what the template wrote."""
    wanted = [*VALUES.items(), *UPSTREAM.items()]
    return all(new in (clone / name).read_text() for name, (_, new) in wanted)
