"""Engines under test: started here, pinned, waited for, and ended, whatever they are made of."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from model.running import free_port
from perf import cpu, hardware
from perf.errors import NotStarted, Refused

ROOT = Path(__file__).parents[1]
IMAGE = re.compile(r"\S+@sha256:[0-9a-f]{64}")
FAKE = "fake"
START_SECONDS = 240.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Recipe:
    """How one engine is started: a command for its port, where, and with which environment; maybe in a container."""

    name: str
    command: tuple[str, ...]
    folder: Path
    env: dict[str, str]
    container: str = ""


@dataclass(frozen=True)
class Engine:
    url: str
    model: str
    process: subprocess.Popen[bytes]
    cores: tuple[int, ...]
    container: str = ""

    @property
    def pids(self) -> list[int]:
        """All that works for it; a container's processes are no children of the docker that started it."""
        return cpu.family(inside(self.container) if self.container else self.process.pid)


def python_of_engine() -> str:
    """The Python that has vLLM: ENGINE_PYTHON, else the one that `lab/install engine` made."""
    cache = Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice"))
    found = os.environ.get("ENGINE_PYTHON") or str(cache / "engine-venv" / "bin" / "python")
    if not Path(found).exists():
        raise Refused(f"{found}: vLLM is not installed: run lab/install engine, or set ENGINE_PYTHON")
    return found


@contextlib.contextmanager
def recipe(what: str, cores: Sequence[int], port: int) -> Iterator[Recipe]:
    """The recipe of `name@sha256:…`, `fake`, a folder with `model/`, or a git revision of this repository.

    Raises:
        Refused: it is none of these, or what it needs is missing.
    """
    # under one name, whatever their pins say
    own = {"SLUICE_ENGINE_PORT": str(port), "SLUICE_MODEL_NAME": named_model(ROOT)[0]}
    if what == FAKE:
        yield Recipe(what, (sys.executable, "-m", "lab.engine"), ROOT, own)
    elif IMAGE.fullmatch(what):
        name = f"sluice-perf-{port}"
        yield Recipe(what, tuple(container(what, name, cores, own)), ROOT, {}, name)
    elif (Path(what) / "model" / "serve.py").exists():
        yield served(what, Path(what).resolve(), cores, own)
    else:
        with revision(what) as folder:
            yield served(what, folder, cores, own)


def served(name: str, folder: Path, cores: Sequence[int], env: dict[str, str]) -> Recipe:
    command = (python_of_engine(), "-m", "model.serve", *hardware.arguments())
    return Recipe(name, command, folder, hardware.settings(len(cores)) | env)


def container(image: str, name: str, cores: Sequence[int], own: dict[str, str]) -> list[str]:
    if shutil.which("docker") is None:
        raise Refused(f"{image}: docker is missing, and an image needs it: install docker.io, or name a git revision")
    if hardware.hardware() == hardware.CPU and for_gpu(image):
        raise Refused(f"{image}: needs a GPU, and this machine has none: {hardware.WAYS}")
    line = ["docker", "run", "--rm", "--init", f"--name={name}", "--network=host", "--shm-size=1g"]
    line += [] if hardware.hardware() == hardware.CPU else ["--gpus=all"]
    line += [f"--cpuset-cpus={','.join(map(str, cores))}"]
    line += [f"--env={name}={value}" for name, value in {**hardware.settings(len(cores)), **own}.items()]
    return [*line, image, *hardware.arguments()]


def for_gpu(image: str) -> bool:
    """Whether it stands on a CUDA image, which says so in its environment; one that is not here yet is pulled first."""
    ask = ["docker", "image", "inspect", "--format={{.Config.Env}}", image]
    found = subprocess.run(ask, capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode:
        subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, check=False)  # noqa: S603, S607
        found = subprocess.run(ask, capture_output=True, text=True, check=False)  # noqa: S603
    return "NVIDIA_VISIBLE_DEVICES=" in found.stdout


def inside(container: str) -> int:
    """The first process of a container, as this machine counts it."""
    ask = ["docker", "inspect", "--format={{.State.Pid}}", container]
    found = subprocess.run(ask, capture_output=True, text=True, check=False)  # noqa: S603
    if found.returncode:
        raise NotStarted(f"{container}: docker knows no such container any more: see the engine's log")
    return int(found.stdout)


@contextlib.contextmanager
def revision(name: str) -> Iterator[Path]:
    """The `model/` folder of a git revision, in a folder of its own."""
    git = ["git", "-C", str(ROOT), "archive", "--format=tar", name, "--", "model"]
    packed = subprocess.run(git, capture_output=True, check=False)  # noqa: S603
    if packed.returncode:
        raise Refused(f"{name}: neither an image by digest, nor a folder with model/, nor a git revision")
    with tempfile.TemporaryDirectory(prefix="sluice-perf-") as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)  # noqa: S603, S607
        yield Path(folder)


def named_model(folder: Path) -> tuple[str, int]:
    """Served name and context in tokens, as the model's pin says."""
    pin = yaml.safe_load((folder / "model" / "model.yaml").read_text(encoding="utf-8"))
    lengths = [int(arg.partition("=")[2]) for arg in pin["args"] if arg.startswith("--max-model-len=")]
    return str(pin["served_name"]), lengths[0] if lengths else 4096


@contextlib.contextmanager
def running(what: str, cores: Sequence[int], log: Path) -> Iterator[Engine]:
    """One engine, started but not yet waited for, so that two can start at once; `ready` then pins it to its cores."""
    port = free_port()
    with recipe(what, cores, port) as how, log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - a recipe of our own
            how.command,
            cwd=how.folder,
            env=os.environ | how.env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield Engine(f"http://127.0.0.1:{port}", named_model(ROOT)[0], process, tuple(cores), how.container)
        finally:
            end(process)
            if how.container:  # a docker that was killed leaves its container behind
                subprocess.run(["docker", "rm", "--force", how.container], capture_output=True, check=False)  # noqa: S603, S607


def listening(port: int, seconds: float = 20.0) -> None:
    """Return when something listens there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise NotStarted(f"nothing listens on port {port} after {seconds:.0f} s") from None
            time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it, and then all of its session, to end."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    if os.getpgid(0) != process.pid:
        with contextlib.suppress(ProcessLookupError):  # workers that outlived it, when it led a group of its own
            os.killpg(process.pid, signal.SIGKILL)


def ready(engine: Engine, log: Path, seconds: float = START_SECONDS) -> None:
    """Return when it has answered a generation, and from then on has its own cores only.

    Raises:
        NotStarted: it ended or did not answer; names its log.
    """
    deadline = time.monotonic() + seconds
    while not generates(engine):
        if engine.process.poll() is not None:
            raise NotStarted(f"the engine ended with {engine.process.returncode} before it answered: see {log}")
        if time.monotonic() > deadline:
            raise NotStarted(f"the engine did not answer within {seconds:.0f} s: see {log}")
        time.sleep(0.25)
    cpu.pin(engine.pids, engine.cores)


def warm(engine: Engine) -> None:
    """What its pod's startup probe does before users come.

    Raises:
        NotStarted: no token came back.
    """
    env = os.environ | {"SLUICE_ENGINE_PORT": engine.url.rpartition(":")[2]}
    probe = [sys.executable, "-m", "model.started"]
    done = subprocess.run(probe, cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise NotStarted(f"the engine's warm-up failed: {done.stdout.strip()}")


def generates(engine: Engine) -> bool:
    body = b'{"model": "%s", "prompt": "1", "max_tokens": 1}' % engine.model.encode()
    headers = {"content-type": "application/json"}
    asked = urllib.request.Request(engine.url + "/v1/completions", body, headers)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(asked, timeout=10) as reply:  # noqa: S310
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
