"""Programs of the lab: started in a session of their own, found again by pid file, ended by id."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import paths
from lab.errors import NotReady

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Program:
    """One long-running program: `ready` answers whether it can be used."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] = lambda: True
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60

    @property
    def log(self) -> Path:
        return paths.LOGS / f"{self.name}.log"

    def start(self) -> None:
        """Start it unless it runs; returns at once, see `wait`."""
        if pid_of(self.name) is not None:
            return
        paths.LOGS.mkdir(parents=True, exist_ok=True)
        paths.RUN.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - the command is the lab's own
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                cwd="/",
                start_new_session=True,
            )
        pid_file(self.name).write_text(f"{child.pid} {started_ticks(child.pid)}\n")

    def wait(self) -> None:
        """Return when it is ready.

        Raises:
            NotReady: it ended, or took longer than `seconds`; names its log.
        """
        deadline = time.monotonic() + self.seconds
        while not self.ready():
            if pid_of(self.name) is None:
                raise NotReady(f"{self.name} ended: {last_line(self.log)} (see {self.log})")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} is not ready after {self.seconds:.0f} s: see {self.log}")
            time.sleep(POLL_SECONDS)


def pid_file(name: str) -> Path:
    return paths.RUN / f"{name}.pid"


def started_ticks(pid: int) -> str | None:
    """When the process started, in clock ticks since boot: tells it from a later one with its id."""
    with contextlib.suppress(OSError):
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if after_name[0] != "Z":
            return after_name[19]
    return None


def pid_of(name: str) -> int | None:
    """The id of the running program of that name, or None."""
    with contextlib.suppress(OSError, ValueError):
        pid, ticks = pid_file(name).read_text().split()
        reap(int(pid))
        if started_ticks(int(pid)) == ticks:
            return int(pid)
    return None


def reap(pid: int) -> None:
    """Collect it when it is an ended child of ours, so that no zombie keeps its id."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def running() -> dict[str, int]:
    """Names and ids of all programs of the lab that run."""
    names = sorted(file.stem for file in paths.RUN.glob("*.pid"))
    return {name: pid for name in names if (pid := pid_of(name)) is not None}


def stop(name: str, seconds: float = 10, first: signal.Signals = signal.SIGTERM) -> None:
    """End it: ask, wait up to `seconds`, then kill."""
    pid = pid_of(name)
    if pid is not None:
        send(pid, first)
        if not gone(name, seconds):
            send(pid, signal.SIGKILL)
            gone(name, seconds)
    pid_file(name).unlink(missing_ok=True)


def gone(name: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while pid_of(name) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def every(about: str) -> Iterator[tuple[int, bytes]]:
    """What /proc says of each process that may be asked, by id: its `cmdline`, or its `environ`."""
    for file in Path("/proc").glob(f"[0-9]*/{about}"):
        try:
            said = file.read_bytes()
        except OSError:
            continue  # it has ended meanwhile, or is another user's
        yield int(file.parent.name), said


def commands() -> list[str]:
    """Every command line of this machine; without a process of its own, for it is asked often."""
    return [said.replace(b"\0", b" ").decode(errors="replace") for _, said in every("cmdline")]


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return lines[-1][:200] if lines else "it wrote nothing"


def run(*command: str | Path, check: bool = True, stdin: str | None = None, seconds: float = 300) -> str:
    """Run a short command and return its output.

    Raises:
        NotReady: it failed, with the last line that it wrote.
    """
    done = subprocess.run(  # noqa: S603 - the command is the lab's own
        [str(part) for part in command], input=stdin, capture_output=True, text=True, timeout=seconds, check=False
    )
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotReady(f"{Path(str(command[0])).name} failed: {said[-1] if said else done.returncode}")
    return done.stdout
