"""Real servers of the test's own, each on a free port: PostgreSQL, which never runs as root, and Redis."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from model.running import free_port

SERVER_FOLDERS = "/usr/lib/postgresql"


def program(name: str) -> str:
    """Debian keeps the server's programs off the path."""
    newest = sorted(Path(SERVER_FOLDERS).glob(f"*/bin/{name}"))
    found = str(newest[-1]) if newest else shutil.which(name)
    assert found, f"{name} is not installed: run lab/install test"
    return found


@dataclass
class Redis:
    """A real one, which keeps nothing on disk."""

    port: int = field(default_factory=free_port)
    pid: int = 0  # while it runs

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/") as server:
            self.pid = server.pid
            try:
                until = time.monotonic() + 20
                while not self.answers():
                    assert server.poll() is None and time.monotonic() < until, "redis-server did not come up"
                    time.sleep(0.02)
                yield
            finally:
                server.kill()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It stands still, and takes what it was sent meanwhile when it goes on."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


@dataclass
class Postgres:
    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"postgresql://sluice@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.call(program("initdb"), "-D", str(self.folder / "data"), "-U", "sluice", "-A", "trust", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self.call(program("pg_ctl"), "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self.call(program("pg_ctl"), "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Its processes stand still: the kernel takes what is sent to them and nobody ever answers."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(first, signal.SIGSTOP)  # before the others: from now on there are no new ones
        pids = [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(pids):  # the first one last: one of them that has ended is there until that one looks
                os.kill(pid, signal.SIGCONT)

    def call(self, *command: str) -> None:
        user: Sequence[str] = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run([*user, *command], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)
