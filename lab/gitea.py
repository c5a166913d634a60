"""A forge on this machine: Gitea on a loopback port, with its data in one folder, run by a user that is not root."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from lab import modules, paths
from lab.errors import NotReady
from lab.server import Server
from release.forge import Gitea as Interface

MODULE = "code.gitea.io/gitea"
PORT = 3000
USER = "nobody"
STATIC = ("templates", "options", "public")
CONFIG = """
RUN_MODE = prod
WORK_PATH = {folder}
RUN_USER = {user}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {folder}/static
APP_DATA_PATH = {folder}/data
OFFLINE_MODE = true
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[repository]
ROOT = {folder}/repositories
DEFAULT_BRANCH = main
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
PASSWORD_HASH_ALGO = pbkdf2
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = true
[cron]
ENABLED = false
[log]
MODE = console
LEVEL = warn
"""


class Forge(Server):
    name, health = "gitea", "/api/healthz"

    def __init__(self, folder: Path, port: int = PORT) -> None:
        super().__init__(folder, port)
        self.tokens: dict[str, str] = {}

    def prepare(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        source = modules.source("gitea", MODULE)
        for name in STATIC:
            shutil.copytree(source / name, self.folder / "static" / name)
        text = CONFIG.format(folder=self.folder, port=self.port, secret=secrets.token_hex(16), user=self.user)
        (self.folder / "app.ini").write_text(text)
        for path in [self.folder, *self.folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)  # a module's files may not even be written by their owner
            if os.getuid() == 0:
                shutil.chown(path, USER)

    def command(self) -> list[str]:
        return self.words("web")

    @property
    def user(self) -> str:
        return USER if os.getuid() == 0 else os.environ.get("USER", "")

    def words(self, *more: str) -> list[str]:
        return [str(paths.BIN / "gitea"), "--config", str(self.folder / "app.ini"), *more]

    @property
    def rights(self) -> dict[str, Any]:
        """Of its processes: another user's, whose home is the forge's folder."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GITEA_WORK_DIR": str(self.folder)}
        return {"env": env, "cwd": str(self.folder)} | ({"user": USER} if os.getuid() == 0 else {})

    def person(self, name: str) -> str:
        """A new user's token."""
        mail, password = f"{name}@example.invalid", secrets.token_urlsafe(16)
        words = ["--username", name, "--password", password, "--email", mail, "--must-change-password=false", "--admin"]
        more = ["--access-token", "--access-token-scopes", "all"]
        done = subprocess.run(  # noqa: S603 - the lab's own
            self.words("admin", "user", "create", *words, *more),
            capture_output=True,
            text=True,
            check=False,
            **self.rights,
        )
        if done.returncode:
            raise NotReady(f"gitea makes no user {name}: {' '.join((done.stderr + done.stdout).split())[-200:]}")
        self.tokens[name] = done.stdout.split()[-1]  # "Access token was successfully created... 1a2b…"
        return self.tokens[name]

    def ask(self, who: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return Interface(f"{self.address}/api/v1", self.tokens[who]).ask(method, path, body)

    def repository(self, owner: str, name: str) -> str:
        """A new empty repository; returns its address in the forge's interface."""
        self.ask(owner, "POST", "/user/repos", {"name": name, "default_branch": "main", "private": False})
        self.ask(owner, "PATCH", f"/repos/{owner}/{name}", {"has_actions": False})  # act is what runs them
        return f"{self.address}/api/v1/repos/{owner}/{name}"
