"""What must hold before the lab changes anything on this machine."""

import os
import shutil
import socket
from pathlib import Path

from lab import node, paths, process
from lab.errors import Refused

FREE_DISK_GIB = 4  # state of a run; images and tools are checked where they are made
FREE_MEMORY_GIB = 8  # three real engines of 2.5 GB
PORTS = (
    *(paths.REGISTRY_PORT, paths.PROMETHEUS_PORT, paths.ALERTMANAGER_PORT, paths.SLACK_PORT),
    *(paths.ARGO_METRICS_PORT, paths.ETCD_PORT),
)


def before_start() -> None:
    """Raises Refused, in one line, for the first thing that is missing."""
    root()
    disk()
    memory(FREE_MEMORY_GIB)
    other_cluster()
    for port in PORTS:
        free_port(port)


def root() -> None:
    if os.geteuid() != 0:
        raise Refused("the lab needs root (network, mounts, cgroups): run it with sudo")


def disk() -> None:
    folder = next(path for path in (paths.STATE, *paths.STATE.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 2**30
    if free < FREE_DISK_GIB:
        raise Refused(
            f"{folder} has {free:.1f} GiB free, the lab needs {FREE_DISK_GIB}: free some, or set SLUICE_STATE"
        )


def memory(needed: float) -> None:
    """Raises Refused when less than `needed` GiB are available."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) / 2**20
    if free < needed:
        raise Refused(f"{free:.1f} GiB of memory are available, {needed} are needed: end something first")


def other_cluster() -> None:
    if shutil.which("iptables-save") and node.kube_chains(process.run("iptables-save", check=False)):
        raise Refused("another Kubernetes has firewall rules on this machine (KUBE-*): stop it first")


def free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Refused(f"port {port} on 127.0.0.1 is taken: `ss -ltnp 'sport = :{port}'` says by what") from None
