"""Where a team works: the repository on a real forge, clones of it, and workflows that run on what is pushed."""

import copy
import itertools
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

    def __init__(self, forge: Forge, folder: Path, name: str = NAME) -> None:
        self.forge, self.folder, self.name, self.path = forge, folder, name, f"{OWNER}/{name}"
        self.clones, self.logs = itertools.count(1), folder / "logs"
        self.env = {"SLUICE_CACHE": str(paths.CACHE)}
        for person in (OWNER, REVIEWER):
            if person not in forge.tokens:
                forge.person(person)
        self.api = forge.repository(OWNER, name)
        self.pulls = Gitea(self.api, forge.tokens[OWNER])
        self.reviews = Gitea(self.api, forge.tokens[REVIEWER])
        self.remote = f"http://{OWNER}:{forge.tokens[OWNER]}@127.0.0.1:{forge.port}/{self.path}.git"
        source = releases.clone(folder / "desk")  # with what is not committed yet
        self.desk = History(source.folder)
        self.founded()

    def fork(self, name: str) -> "Office":
        """Somebody else's fork on the same forge, with this repository's past; its people work in clones."""
        self.forge.ask(REVIEWER, "POST", f"/repos/{self.path}/forks", {"name": name})
        other = copy.copy(self)
        other.name, other.path, other.logs = name, f"{REVIEWER}/{name}", self.logs / name
        other.api = f"{self.forge.address}/api/v1/repos/{other.path}"
        token = self.forge.tokens[REVIEWER]
        other.remote = f"http://{REVIEWER}:{token}@127.0.0.1:{self.forge.port}/{other.path}.git"
        return other

    def founded(self) -> None:
        """Push this checkout as the first commit, as of a template: its tags and its past are not the team's."""
        desk = self.desk
        desk.git("checkout", "--quiet", "--orphan", "start")
        desk.git("commit", "--quiet", "--message", "Initial commit", env=AUTHOR)
        desk.git("branch", "--force", "main", "start")
        desk.git("checkout", "--quiet", "main")
        for tag in desk.git("tag").split():
            desk.git("tag", "--delete", tag)
        desk.git("remote", "set-url", "origin", self.remote)
        desk.git("push", "--quiet", "origin", "main")
        until = time.monotonic() + 30
        while self.forge.ask(OWNER, "GET", f"/repos/{self.path}")["empty"]:
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

    def merge(self, title: str, files: Mapping[str, str]) -> str:
        """A pull request that is green, approved and merged; returns the commit that main is then."""
        branch = f"change/{next(self.clones)}"
        return self.landed(title, branch, self.commit(title, files, branch))

    def landed(self, title: str, branch: str, made: str) -> str:
        """The same for a branch that is there already."""
        pull = self.pulls.open(branch, "main", title, "")
        self.pulls.mark(made, "ci", "success", "green")
        self.reviews.approve(pull.number, "looks good")
        if why := self.merged(pull.number):
            raise Refused(why)
        return self.desk.sha(self.desk.main)

    def text(self, path: str) -> str:
        self.desk.fetch()
        return self.desk.text(self.desk.main, path) or ""

    def tags(self) -> list[str]:
        """The tags that the forge has, asked of it: what a run has pushed is not in the desk yet."""
        lines = self.desk.git("ls-remote", "--tags", "--refs", "origin").splitlines()
        return [line.rpartition("refs/tags/")[2] for line in lines]

    def release(self, environment: str) -> tuple[str, Release] | None:
        self.desk.fetch()
        return release_at(self.desk, self.desk.main, environment)

    def version(self, environment: str) -> str:
        found = self.release(environment)
        return found[1].version if found else ""

    def clone(self, commit: str) -> Path:
        """A fresh clone at a commit, as a runner has it."""
        folder = self.folder / f"clone-{next(self.clones)}"
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", self.remote, str(folder)], check=True)  # noqa: S603, S607
        History(folder).git("checkout", "--quiet", "--detach", commit)
        return folder

    def run(self, clone: str, workflow: str, event: str, what: Mapping[str, Any], *only: str, **variables: str) -> Ran:
        """Execute a workflow as the forge would start it; its log is kept."""
        runner = Runner(self.api, self.forge.tokens[OWNER], OWNER, self.env, variables)
        folder = self.clone(clone)
        ran = runner.run(folder, workflow, event, {**what, **self.about}, *only)
        self.logs.mkdir(parents=True, exist_ok=True)
        (self.logs / f"{folder.name}-{workflow}.log").write_text(ran.log)
        return ran

    def pushed(self, workflow: str, commit: str, *only: str, ref: str = "refs/heads/main", **variables: str) -> Ran:
        """What the forge starts when a commit is pushed."""
        return self.run(commit, workflow, "push", {"ref": ref, "after": commit}, *only, **variables)

    def proposed(self, workflow: str, head: str, commit: str, *only: str, **variables: str) -> Ran:
        """What the forge starts for a pull request."""
        pull = {"head": {"ref": head, "sha": commit}, "base": {"ref": "main"}}
        return self.run(commit, workflow, "pull_request", {"pull_request": pull}, *only, **variables)

    def asked(self, workflow: str, inputs: Mapping[str, str]) -> Ran:
        """What the forge starts for a person, or for Argo's notification."""
        what = {"inputs": dict(inputs), "ref": "refs/heads/main"}
        return self.run("origin/main", workflow, "workflow_dispatch", what)

    def tagged(self, environment: str, version: str) -> Ran:
        """Push the tag of a rollback; its run asks the forge for one on main, which is executed and returned.

        Raises:
            NotReady: the forge was not asked.
        """
        ref, before = f"refs/tags/deploy/{environment}/{version}", self.dispatched("rollback")
        self.desk.fetch()
        self.desk.git("push", "--quiet", "--force", "origin", f"{self.desk.sha(self.desk.main)}:{ref}")
        asking = self.pushed("rollback", "origin/main", ref=ref)
        if not asking.green or self.dispatched("rollback") != before + 1:
            raise NotReady(f"{ref}: its run did not start a rollback on main: see the last log in {self.logs}")
        return self.asked("rollback", {"environment": environment, "version": version, "why": f"the tag {ref}"})

    def dispatched(self, workflow: str) -> int:
        """How many runs of a workflow on main the forge was asked for, as its own Actions list them."""
        found = self.forge.ask(OWNER, "GET", f"/repos/{self.path}/actions/runs?event=workflow_dispatch&limit=50")
        return [one["path"] for one in found["workflow_runs"]].count(f"{workflow}.yml@refs/heads/main")

    @property
    def people(self) -> dict[str, str]:
        """The environment of a person's command, who has the forge's token and no cluster's."""
        env = {key: value for key, value in os.environ.items() if key not in TOKENS}
        env |= {"SLUICE_FORGE": self.api, "GITHUB_TOKEN": self.forge.tokens[OWNER], "GITHUB_ACTOR": OWNER}
        env.pop("KUBECONFIG", None)
        return env | self.env

    def make(self, target: str, **env: str) -> Ran:
        """A person's `make` in a fresh clone of the released branch; its output is kept."""
        folder, began = self.clone("origin/main"), time.monotonic()
        done = subprocess.run(  # noqa: S603 - our own targets
            ["make", target],  # noqa: S607
            cwd=folder,
            env=self.people | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.logs.mkdir(parents=True, exist_ok=True)
        (self.logs / f"{folder.name}-{target}.log").write_text(done.stdout)
        return Ran(target, done.returncode, done.stdout, round(time.monotonic() - began, 1))

    @property
    def about(self) -> dict[str, Any]:
        who = self.path.partition("/")[0]
        owner = {"login": who, "name": who}
        return {"repository": {"full_name": self.path, "name": self.name, "owner": owner, "default_branch": "main"}}

    def sluice(self, *words: str, folder: Path | None = None) -> tuple[int, str]:
        """The command line as a person uses it: exit code and its last line."""
        nowhere = self.folder / "kubeconfig"
        nowhere.write_text(kubeconfig({"cluster": "http://127.0.0.1:9"}, "none"))
        done = subprocess.run(  # noqa: S603
            [str(paths.ROOT / ".venv/bin/sluice"), *words],
            cwd=folder or self.desk.root,
            env=self.people | {"KUBECONFIG": str(nowhere)},
            capture_output=True,
            text=True,
            check=False,
        )
        said = (done.stderr or done.stdout).strip().splitlines()
        return done.returncode, said[-1] if said else ""

    def protected(self, context: str, closed: bool = False) -> None:
        """Only green and approved pull requests may be merged by people; the workflows' own token may push, or not."""
        rules = f"/repos/{self.path}/branch_protections"
        rule = {"rule_name": "main", "enable_push": not closed, "enable_status_check": True}
        rule |= {"status_check_contexts": [context], "required_approvals": 1}
        there = any(one["rule_name"] == "main" for one in self.forge.ask(OWNER, "GET", rules))
        self.forge.ask(OWNER, *(("PATCH", f"{rules}/main") if there else ("POST", rules)), rule)

    def merged(self, number: int) -> str:
        """Why the forge does not merge a pull request, or nothing when it has done so."""
        try:
            self.pulls.merge(number)
        except Refused as error:
            return str(error)
        self.desk.fetch()
        return ""
