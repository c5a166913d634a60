"""The servers of the bench, each pinned to its core and ended with it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.running import free_port
from perf import cpu, engine
from perf.bench.client import MODEL

INFLIGHT = 5000  # the gateway's own admission must not answer for it


@dataclass(frozen=True)
class Server:
    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cpu_seconds(self) -> float:
        return cpu.seconds_of(self.pid)

    @property
    def memory(self) -> int:
        return cpu.memory_of(self.pid)


@contextlib.contextmanager
def started(cores: Sequence[int], port: int, *module: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """`python -m module…` on these cores, once it listens on its port."""
    command = cpu.pinned(cores, sys.executable, "-m", *module)
    process = subprocess.Popen(command, cwd=engine.ROOT, env=os.environ | dict(env or {}))  # noqa: S603
    try:
        engine.listening(port)
        yield Server(port, process.pid)
    finally:
        engine.end(process)


def blank(cores: Sequence[int]) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    return started(cores, port, "perf.blank", str(port))


def splice(cores: Sequence[int], target: int) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    return started(cores, port, "perf.bench.splice", str(port), str(target))


def bare(cores: Sequence[int]) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    flags = ["--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning", f"--port={port}"]
    return started(cores, port, "uvicorn", "perf.bench.bare:app", *flags)


def gateway(
    cores: Sequence[int], target: str, model: str = MODEL, more: Mapping[str, str] | None = None
) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    told = {"PORT": port, "STABLE_URLS": target, "MODEL_NAME": model, "MAX_INFLIGHT": INFLIGHT, "LOG_LEVEL": "warning"}
    env = {f"SLUICE_{name}": str(value) for name, value in {**told, **(more or {})}.items()}
    return started(cores, port, "app", env=env)
