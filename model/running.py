"""A real engine on this machine for as long as a block runs: `python -m model.serve`, the way every engine starts."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from model import make, started
from model import pin as pins

SECONDS = 180.0  # to load a tiny model on a busy machine
LAPTOP = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_WAIT_POLICY": "PASSIVE"}


class EngineError(Exception):
    """The engine did not come up; the message names its log."""


def environment_of(cache: Path) -> Path:
    """The Python of the engine's environment, which `lab/install engine` makes."""
    python = cache / "engine-venv/bin/python"
    if not python.exists():
        raise EngineError(f"{python}: there is no engine: run lab/install engine")
    return python


@contextlib.contextmanager
def engine(folder: Path, python: Path, log: Path, *extra: str) -> Iterator[str]:
    """The URL of an engine that serves this folder and has generated its first tokens; `extra` are arguments of it."""
    port = free_port()
    file = log.with_suffix(".yaml")
    pins.save(make.pinned(0, folder, file), file)
    env = dict(os.environ) | LAPTOP | {"SLUICE_MODEL_PIN": str(file), "SLUICE_ENGINE_PORT": str(port)}
    with log.open("wb") as out:
        line = [str(python), "-m", "model.serve", "--host", "127.0.0.1", *extra]
        child = subprocess.Popen(line, cwd=make.HERE.parent, env=env, stdout=out, stderr=out, start_new_session=True)  # noqa: S603
        try:
            wait(child, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            ended(child)


def wait(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + SECONDS
    while why := started.generates(port):
        if child.poll() is not None:
            raise EngineError(f"the engine ended with {child.returncode} while it started: {log} says why")
        if time.monotonic() > until:
            raise EngineError(f"the engine is not up after {SECONDS:g} s ({why}): {log} says why")
        time.sleep(0.5)


def ended(child: subprocess.Popen[bytes]) -> None:
    """Its whole group: the engine core is a process of its own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(15)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
