"""Bring the whole lab up, take it down, and say what runs."""

import contextlib
import fcntl
import signal
import time
from collections.abc import Callable, Iterable, Iterator

from lab import addons, aftermath, checks, database, images, node, observers, paths, pki, process, programs
from lab.errors import LabError, Refused
from lab.process import Program

Say = Callable[[str], None]
LOCK = "/run/sluice-lab.lock"


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the machine-wide lock while the lab is changed.

    Raises:
        Refused: somebody else holds it.
    """
    checks.root()
    with open(LOCK, "w") as lock:  # noqa: PTH123 - a lock needs the open file
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("another `make lab` or `make lab-down` is at work: wait until it has ended") from None
        yield


def up(say: Say, bare: bool = False) -> None:
    """Start the lab; a lab that runs is left alone, a crashed one is cleared away first.

    `bare` leaves out what LAB=existing installs: the cluster is then such as somebody else would have.
    """
    with only_one():
        if healthy(NAMES - ADDED if bare else NAMES):
            say(f"the lab runs already: export KUBECONFIG={paths.KUBECONFIG}")
            return
        if paths.STATE.exists():
            say("clearing away what an earlier lab left")
            clear()
        checks.before_start()
        aftermath.note()
        began = time.monotonic()
        try:
            start(say, bare)
        except LabError:
            clear(keep_logs=True)
            raise
        say(f"lab up in {time.monotonic() - began:.0f} s: export KUBECONFIG={paths.KUBECONFIG}")


def start(say: Say, bare: bool) -> None:
    for folder in (paths.STATE, paths.LOGS, paths.RUN):
        folder.mkdir(parents=True, exist_ok=True)
    pki.make()
    launch([programs.registry()], say)
    node.prepare(images.pause())
    launch([programs.containerd(), *programs.control_plane()], say)
    launch(programs.workers(), say)
    if not bare:
        addons.install()
        database.create()
        watched = [observers.prometheus(), observers.alertmanager()]
        launch([programs.slack(), database.server(), programs.argo_rollouts(), *watched], say)


def launch(group: Iterable[Program], say: Say) -> None:
    """Start all, then wait for each; kubeconfig users retry until the API answers."""
    began, programs_ = time.monotonic(), list(group)
    for program in programs_:
        program.start()
    for program in programs_:
        program.wait()
        say(f"  {program.name:24} ready after {time.monotonic() - began:4.1f} s")


def healthy(names: set[str]) -> bool:
    """Whether these programs of the lab run and the node is Ready."""
    alive = process.running()
    return paths.KUBECONFIG.exists() and set(alive) >= names and programs.kubelet().ready()


ADDED = {"slack", "postgres", "argo-rollouts", "prometheus", "alertmanager"}
NAMES = ADDED | {
    *("registry", "containerd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kubelet", "kube-proxy", "coredns"),
}


def down(say: Say) -> None:
    """End everything of the lab and take back what it changed on this machine."""
    with only_one():
        clear()
        say("lab down: no process, mount, interface or firewall rule of it is left")


def clear(keep_logs: bool = False) -> None:
    for name in ("argo-rollouts", "kubelet", "kube-proxy", "coredns"):
        process.stop(name)
    containers()
    for name in process.running():
        process.stop(name, seconds=2)  # nothing of theirs is kept: the next lab starts from an empty etcd
    node.take_back()
    paths.KUBECONFIG.unlink(missing_ok=True)  # its address is no longer ours once the bridge is gone
    if not keep_logs:
        node.forget()


def containers() -> None:
    """End every pod's containers, whoever started containerd last."""
    if process.pid_of("containerd") is None and node.CONTAINERD_CONFIG.exists():
        with contextlib.suppress(LabError):
            launch([programs.containerd()], lambda _: None)
    with contextlib.suppress(LabError):
        for task in programs.ctr("tasks", "ls", "-q").split():
            programs.ctr("tasks", "kill", "--all", "--signal", "SIGKILL", task, check=False)
            programs.ctr("tasks", "delete", "--force", task, check=False)
        for container in programs.ctr("containers", "ls", "-q").split():
            programs.ctr("containers", "delete", container, check=False)


def status() -> dict[str, object]:
    """What runs, where its logs are and how to reach it; all values are text or lists of text."""
    alive = process.running()
    return {
        "running": {name: pid for name, pid in alive.items() if name in NAMES},
        "stopped": sorted(NAMES - set(alive)),
        "logs": str(paths.LOGS),
        "kubectl": f"KUBECONFIG={paths.KUBECONFIG} {programs.binary('kubectl')} get pods -A",
        "prometheus": paths.PROMETHEUS,
        "slack": paths.SLACK,
        "registry": paths.REGISTRY,
    }


def kill(name: str) -> None:
    """End one program at once, as a crash would: for scenarios."""
    process.stop(name, first=signal.SIGKILL)
