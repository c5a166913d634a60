"""The docker daemon that builds the lab's images: one of our own, unless DOCKER_HOST names another."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]

from lab import mounts, paths, process, programs
from lab.errors import Refused
from lab.process import Program

STATE = paths.STATE / "builder"
SOCKET = STATE / "docker.sock"
CONTAINERD_SOCKET = STATE / "containerd.sock"
DOCKERD = "builder-dockerd"
Say = Callable[[str], None]
REQUEST_SECONDS = 1800  # a push of the engine's base says nothing for minutes


def client(host: str | None = None) -> Any | None:
    """A client of the daemon there, or None when none answers."""
    try:
        found = docker.DockerClient(base_url=host or os.environ.get("DOCKER_HOST"), timeout=REQUEST_SECONDS)
        found.ping()
    except (DockerException, OSError):
        return None
    return found


def ours() -> list[Program]:
    """Our containerd and dockerd: no bridge, no firewall rules; builds use the machine's own network."""
    containerd = Program(
        "builder-containerd", [path_of("containerd"), "--config", str(config())], CONTAINERD_SOCKET.exists
    )
    command = [
        path_of("dockerd"),
        f"--data-root={paths.CACHE}/docker",
        f"--exec-root={STATE}/exec",
        f"--pidfile={STATE}/dockerd.pid",
        f"--host=unix://{SOCKET}",
        f"--containerd={CONTAINERD_SOCKET}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
    ]
    return [containerd, Program(DOCKERD, command, lambda: client(f"unix://{SOCKET}") is not None)]


def path_of(name: str) -> str:
    """Raise Refused when the program is not installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/sbin")
    if found is None:
        raise Refused(f"{name} is missing: apt-get install docker.io containerd")
    return found


def config() -> str:
    """Write containerd's configuration; its images are dockerd's business, so nothing is kept but run state."""
    STATE.mkdir(parents=True, exist_ok=True)
    file = STATE / "containerd.toml"
    file.write_text(
        f'version = 2\nroot = "{STATE}/containerd-root"\nstate = "{STATE}/containerd"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{CONTAINERD_SOCKET}"\n'
    )
    return str(file)


def quiet(say: Say) -> Say:
    """Without a Dockerfile's every step."""
    return lambda text: None if ": Step " in text else say(f"  {text}")


@contextlib.contextmanager
def named(host: str) -> Iterator[None]:
    """DOCKER_HOST says so to the docker command line too, which BuildKit is driven by."""
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = host
    try:
        yield
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before


@contextlib.contextmanager
def running() -> Iterator[Any]:
    """A client of a daemon that builds, with the registry up; what this started ends with it.

    Raises:
        Refused: docker is not installed, this is not root, or DOCKER_HOST names a daemon that does not answer.
        NotReady: ours did not come up; its log is named.
    """
    if host := os.environ.get("DOCKER_HOST"):
        wanted = []
    elif os.geteuid() != 0:
        raise Refused("a docker daemon of the lab's own needs root: run it with sudo, or name yours in DOCKER_HOST")
    else:
        host, wanted = f"unix://{SOCKET}", ours()
    paths.STATE.mkdir(parents=True, exist_ok=True)
    started: list[Program] = []
    try:
        for program in [*([] if paths.EXISTING else [programs.registry()]), *wanted]:
            if not program.ready():
                if process.pid_of(program.name) is None:
                    started.append(program)
                program.start()
                program.wait()
        found = client(host)
        if found is None:
            raise Refused(f"no docker daemon answers at DOCKER_HOST={host}: start it, or unset DOCKER_HOST")
        with named(host):
            yield found
    finally:
        for program in reversed(started):
            process.stop(program.name, seconds=20)
            if program.name == DOCKERD:  # of a container that was run the network's mount outlives the daemon
                mounts.taken_away(STATE)
