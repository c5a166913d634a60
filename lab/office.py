"""Where a team works: the repository on a real forge, clones of it, and workflows that run on what is pushed."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import paths, releases
from lab.errors import NotReady
from lab.gitea import Forge
from lab.runner import Ran, Runner
from release.access import kubeconfig
from release.environment import Release
from release.errors import Refused
from release.forge import Gitea
from release.history import History
from release.write import release_at

OWNER, REVIEWER, NAME = "ada", "bea", "llm"
TOKENS = ("GITHUB_TOKEN", "SLUICE_FORGE", "GITHUB_REPOSITORY")
AUTHOR = {"GIT_AUTHOR_NAME": OWNER, "GIT_AUTHOR_EMAIL": "ada@example.invalid"}
AUTHOR |= {"GIT_COMMITTER_NAME": OWNER, "GIT_COMMITTER_EMAIL": "ada@example.invalid"}


class Office:
    """The forge with this checkout as its repository; one clone in which people work, others for runs."""

    def __init__(self, forge: Forge, folder: Path) -> None:
        self.forge, self.folder, self.clones = forge, folder, 0
        for person in (OWNER, REVIEWER):
            forge.person(person)
        self.api = forge.repository(OWNER, NAME)
        self.pulls = Gitea(self.api, forge.tokens[OWNER])
        self.reviews = Gitea(self.api, forge.tokens[REVIEWER])
        self.remote = f"http://{OWNER}:{forge.tokens[OWNER]}@127.0.0.1:{forge.port}/{OWNER}/{NAME}.git"
        source = releases.clone(folder / "desk")  # with what is not committed yet
        self.desk = History(source.folder)
        self.founded()

    def founded(self) -> None:
        """Push this checkout as the repository's first commit: its tags and its past are not the team's."""
        desk = self.desk
        desk.git("checkout", "--quiet", "--orphan", "start")
        desk.git("commit", "--quiet", "--message", "chore: the template", env=AUTHOR)
        desk.git("branch", "--force", "main", "start")
        desk.git("checkout", "--quiet", "main")
        for tag in desk.git("tag").split():
            desk.git("tag", "--delete", tag)
        desk.git("remote", "set-url", "origin", self.remote)
        desk.git("push", "--quiet", "origin", "main")
        until = time.monotonic() + 30
        while self.forge.ask(OWNER, "GET", f"/repos/{OWNER}/{NAME}")["empty"]:
            if time.monotonic() > until:
                raise NotReady("the forge does not see what was pushed")
            time.sleep(0.2)

    def commit(self, message: str, files: Mapping[str, str], branch: str = "main", base: str = "") -> str:
        """Somebody's commit, pushed to a branch of the forge; returns it."""
        self.desk.fetch()
        tip = base or self.desk.sha(self.desk.main)
        made = self.desk.commit(tip, files, message)
        self.desk.git("push", "--quiet", "--force", "origin", f"{made}:refs/heads/{branch}")
        self.desk.fetch()
        return made

    def text(self, path: str) -> str:
        self.desk.fetch()
        return self.desk.text(self.desk.main, path) or ""

    def release(self, environment: str) -> tuple[str, Release] | None:
        self.desk.fetch()
        return release_at(self.desk, self.desk.main, environment)

    def version(self, environment: str) -> str:
        found = self.release(environment)
        return found[1].version if found else ""

    def clone(self, commit: str) -> Path:
        """A fresh clone at a commit, as a runner has it."""
        self.clones += 1
        folder = self.folder / f"clone-{self.clones}"
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", self.remote, str(folder)], check=True)  # noqa: S603, S607
        History(folder).git("checkout", "--quiet", "--detach", commit)
        return folder

    def runner(self, **variables: str) -> Runner:
        env = {"SLUICE_CACHE": str(paths.CACHE)}
        return Runner(self.api, self.forge.tokens[OWNER], OWNER, env, variables)

    def pushed(self, workflow: str, commit: str, *only: str, ref: str = "refs/heads/main", **variables: str) -> Ran:
        """What the forge starts when a commit is pushed."""
        payload = {"ref": ref, "after": commit} | self.about
        return self.runner(**variables).run(self.clone(commit), workflow, "push", payload, *only)

    def proposed(self, workflow: str, head: str, commit: str, *only: str) -> Ran:
        """What the forge starts for a pull request."""
        pull = {"head": {"ref": head, "sha": commit}, "base": {"ref": "main"}}
        payload = {"pull_request": pull} | self.about
        return self.runner().run(self.clone(commit), workflow, "pull_request", payload, *only)

    def asked(self, workflow: str, inputs: Mapping[str, str]) -> Ran:
        """What the forge starts for a person, or for Argo's notification."""
        self.desk.fetch()
        payload = {"inputs": dict(inputs), "ref": "refs/heads/main"} | self.about
        return self.runner().run(self.clone(self.desk.sha(self.desk.main)), workflow, "workflow_dispatch", payload)

    @property
    def about(self) -> dict[str, Any]:
        owner = {"login": OWNER, "name": OWNER}
        return {"repository": {"full_name": f"{OWNER}/{NAME}", "name": NAME, "owner": owner, "default_branch": "main"}}

    def sluice(self, *words: str, folder: Path | None = None) -> tuple[int, str]:
        """The command line as a person uses it: exit code and its last line."""
        env = {key: value for key, value in os.environ.items() if key not in TOKENS}
        nowhere = self.folder / "kubeconfig"
        nowhere.write_text(kubeconfig({"cluster": "http://127.0.0.1:9"}, "none"))
        env |= {"KUBECONFIG": str(nowhere)}
        env |= {"SLUICE_FORGE": self.api, "GITHUB_TOKEN": self.forge.tokens[OWNER], "GITHUB_ACTOR": OWNER}
        done = subprocess.run(  # noqa: S603
            [str(paths.ROOT / ".venv/bin/sluice"), *words],
            cwd=folder or self.desk.root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        said = (done.stderr or done.stdout).strip().splitlines()
        return done.returncode, said[-1] if said else ""

    def protected(self, context: str) -> None:
        """Only green and approved pull requests may be merged by people; the workflows' own token may push."""
        rule = {"branch_name": "main", "enable_push": True, "enable_status_check": True}
        rule |= {"status_check_contexts": [context], "required_approvals": 1}
        self.forge.ask(OWNER, "POST", f"/repos/{OWNER}/{NAME}/branch_protections", rule)

    def merged(self, number: int) -> str:
        """Why the forge does not merge a pull request, or nothing when it has done so."""
        try:
            self.pulls.merge(number)
        except Refused as error:
            return str(error)
        self.desk.fetch()
        return ""
