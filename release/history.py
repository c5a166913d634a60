"""The git repository that a team shares: read from its remote, written one commit at a time and without a work tree."""

import os
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from release.errors import ForgeAway, Locked, Refused

REJECTED = ("[rejected]", "[remote rejected]", "stale info", "cannot lock ref", "failed to update ref")
CLOSED = " declined"  # git's word for a hook or a rule of the forge, such as a branch's protection
ATTEMPTS = 12  # as many writers may come between; each loses one round at most to each other
DECLINED = 2  # as many times, for a forge may have been busy the first
QUIETLY = ("--quiet", "--no-auto-maintenance")  # housekeeping takes as long as a fetch; a rollback is in a hurry
BACK, REVERT = "rollback", "revert"  # where the branches are that take a release back
FIELDS = "%H%x1f%s%x1f%b%x1f%an%x1f%cI%x1e"

Files = Mapping[str, str]


@dataclass(frozen=True)
class Commit:
    sha: str
    subject: str
    body: str
    author: str
    when: str


class History:
    """One clone and the remote that all share; `branch` is what is released."""

    def __init__(self, root: Path, remote: str = "origin", branch: str = "main") -> None:
        self.root, self.remote, self.branch = root, remote, branch

    @property
    def main(self) -> str:
        """The released branch as it was when it was fetched last."""
        return f"refs/remotes/{self.remote}/{self.branch}"

    def git(self, *words: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
        """What git prints; raises ForgeAway when a remote is the reason of a failure, Refused for any other."""
        done = subprocess.run(  # noqa: S603 - git with our own words
            ["git", "-C", str(self.root), *words],  # noqa: S607
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | login() | dict(env or {}),
        )
        if done.returncode:
            said = " ".join(done.stderr.split())[-300:] or f"ended with {done.returncode}"
            kind = ForgeAway if words[0] in ("fetch", "push", "ls-remote") else Refused
            raise kind(f"git {words[0]}: {said}; correct that and run the same command again")
        return done.stdout

    def fetch(self) -> None:
        """Bring here the released branch, tags and branches that take back; what the remote has moved moves."""
        wanted = (self.branch, f"{BACK}/*", f"{REVERT}/*")
        heads = [f"+refs/heads/{one}:refs/remotes/{self.remote}/{one}" for one in wanted]
        self.git("fetch", *QUIETLY, "--force", self.remote, *heads, "+refs/tags/*:refs/tags/*")

    def remote_tip(self, ref: str) -> str:
        """The commit that a full ref name has on the remote now, with its objects brought here; empty when none."""
        found = self.git("ls-remote", self.remote, ref).split()
        if not found:
            return ""
        if not self.sha(found[0]):
            self.git("fetch", *QUIETLY, self.remote, found[0])
        self.seen(ref, found[0])
        return found[0]

    def seen(self, ref: str, sha: str) -> None:
        """Keep where the released branch is by now, as a fetch would."""
        if ref == f"refs/heads/{self.branch}":
            self.git("update-ref", self.main, sha)

    def sha(self, name: str) -> str:
        """The commit that a name stands for here, empty when it stands for none."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
        except Refused:
            return ""

    def fork(self, one: str, other: str) -> str:
        """The newest commit that both have in their past, empty when there is none."""
        try:
            return self.git("merge-base", one, other).strip()
        except Refused:
            return ""

    def text(self, commit: str, path: str) -> str | None:
        """A file as it is in a commit, None when it is not there."""
        if not commit or not self.git("ls-tree", "--name-only", commit, "--", path).strip():
            return None
        return self.git("show", f"{commit}:{path}")

    def commits(self, names: str, path: str = "", single: bool = False) -> list[Commit]:
        """Newest first; `names` is a revision range, `path` keeps only the commits that changed it.

        `single` keeps only those with one parent: no merge, and not the first, which a forge makes of a template.
        """
        limits = ["--min-parents=1", "--max-parents=1", "--full-history"] if single else []
        said = self.git("log", f"--format={FIELDS}", *limits, names, "--", *([path] if path else []))
        return [Commit(*record.strip("\n").split("\x1f")) for record in said.split("\x1e") if record.strip()]

    def commit(self, parent: str, files: Files, message: str) -> str:
        """A commit on `parent` (none: the first of a branch) that differs from it in these files alone; returns it."""
        with tempfile.TemporaryDirectory() as folder:
            env = {"GIT_INDEX_FILE": f"{folder}/index"}
            if parent:
                self.git("read-tree", parent, env=env)
            for path, text in files.items():
                blob = self.git("hash-object", "-w", "--stdin", stdin=text).strip()
                self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
            tree = self.git("write-tree", env=env).strip()
        parents = ["-p", parent] if parent else []
        return self.git("commit-tree", tree, *parents, stdin=message, env=identity()).strip()

    def push(self, sha: str, ref: str, expected: str) -> bool:
        """Set a ref of the remote (empty `sha` removes it) if it still is what was expected; False when it is not."""
        return not self.refused(sha, ref, expected)

    def refused(self, sha: str, ref: str, expected: str) -> str:
        """The same, and why it is not set; empty when it is."""
        try:
            self.git("push", "--quiet", f"--force-with-lease={ref}:{expected}", self.remote, f"{sha}:{ref}")
        except ForgeAway as error:
            if any(word in str(error) for word in REJECTED):
                return str(error)
            raise
        self.seen(ref, sha)
        return ""

    def amend(self, branch: str, change: Callable[[str], tuple[Files, str]]) -> str:
        """Commit what `change` makes of the branch's newest commit, again whenever another writer was first.

        Returns the branch's newest commit; `change` gives no files when there is nothing to do.

        Raises:
            Locked: the remote went on refusing, which a protected branch does too.
        """
        ref, declined = f"refs/heads/{branch}", 0
        for attempt in range(ATTEMPTS):
            tip = self.remote_tip(ref)
            files, message = change(tip)
            if not files:
                return tip
            made = self.commit(tip, files, message)
            why = self.refused(made, ref, tip)
            if not why:
                return made
            declined += CLOSED in why
            if declined == DECLINED:
                break
            time.sleep(0.05 * attempt)
        way = "let this identity past its protection (release/README.md, What a fork sets)"
        raise Locked(f"{branch}: the remote takes no commit from here; {way}")


def login() -> dict[str, str]:
    """A workflow's token for remotes over HTTP, for this call alone: the checkout keeps no credentials on disk."""
    token = os.environ.get("GITHUB_TOKEN")
    if not token:
        return {}
    basic = b64encode(f"x-access-token:{token}".encode()).decode()
    pair = {"GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}"}
    return {"GIT_CONFIG_COUNT": "1"} | pair


def identity() -> dict[str, str]:
    """Who commits: whoever git is told by its environment, else the program itself."""
    who = {"GIT_AUTHOR_NAME": "sluice", "GIT_AUTHOR_EMAIL": "sluice@noreply.invalid"}
    who |= {"GIT_COMMITTER_NAME": "sluice", "GIT_COMMITTER_EMAIL": "sluice@noreply.invalid"}
    return {key: os.environ.get(key) or value for key, value in who.items()}
