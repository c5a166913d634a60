"""The node's network, kernel settings and container runtime configuration, and how each is taken back."""

import contextlib
import json
import re
import shutil
import signal
import time
from pathlib import Path

from lab import mounts, paths
from lab.process import POLL_SECONDS, every, run, send

CNI = paths.STATE / "cni"
CONTAINERD_STATE = paths.STATE / "containerd"
CONTAINERD_SOCKET = CONTAINERD_STATE / "containerd.sock"
CONTAINERD_CONFIG = paths.STATE / "containerd.toml"
KUBELET = paths.STATE / "kubelet"
KUBELET_CONFIG = paths.STATE / "kubelet.json"
SYSCTLS_BEFORE = paths.STATE / "sysctls.json"
SYSCTLS = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/route_localnet": "1"}
CGROUPS = Path("/sys/fs/cgroup")
SHIM_SECONDS = 10


def prepare(pause_image: str) -> None:
    """Make the bridge, note and set the kernel's switches, write what containerd and kubelet read."""
    bridge()
    set_sysctls()
    CNI.mkdir(parents=True, exist_ok=True)
    (CNI / "10-sluice.conflist").write_text(json.dumps(cni(), indent=1))
    CONTAINERD_CONFIG.write_text(containerd(pause_image))
    KUBELET_CONFIG.write_text(json.dumps(kubelet(), indent=1))


def bridge() -> None:
    if not has_bridge():
        run("ip", "link", "add", paths.BRIDGE, "type", "bridge")
    run("ip", "addr", "replace", f"{paths.NODE_IP}/16", "dev", paths.BRIDGE)
    run("ip", "link", "set", paths.BRIDGE, "up")


def has_bridge() -> bool:
    return Path("/sys/class/net", paths.BRIDGE).exists()


def set_sysctls() -> None:
    if not SYSCTLS_BEFORE.exists():
        before = {name: Path("/proc/sys", name).read_text().strip() for name in SYSCTLS}
        SYSCTLS_BEFORE.write_text(json.dumps(before))
    for name, value in SYSCTLS.items():
        Path("/proc/sys", name).write_text(value)


def cni() -> dict[str, object]:
    subnet = [[{"subnet": paths.POD_CIDR, "rangeStart": "10.188.1.0", "gateway": paths.NODE_IP}]]
    ipam = {"type": "host-local", "ranges": subnet, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": str(CNI / "leases")}
    plugin = {"type": "bridge", "bridge": paths.BRIDGE, "isGateway": False, "hairpinMode": True, "ipam": ipam}
    return {"cniVersion": "0.4.0", "name": "sluice", "plugins": [plugin]}


def containerd(pause_image: str) -> str:
    return f"""version = 2
root = "{paths.CONTAINERD}"
state = "{CONTAINERD_STATE}"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause_image}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{CNI}"
"""


def kubelet() -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{paths.PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "address": paths.NODE_IP,
        "tlsCertFile": f"{paths.PKI}/api.crt",
        "tlsPrivateKeyFile": f"{paths.PKI}/api.key",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [paths.NODE_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "imageGCHighThresholdPercent": 100,  # the engine base took minutes to unpack: never collect it
        "imageMaximumGCAge": "0s",
        "evictionHard": {"memory.available": "100Mi"},
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "shutdownGracePeriod": "0s",
    }


def take_back() -> None:
    """Undo `prepare` and what ran on it: shims, mounts, bridge, firewall chains, cgroups, kernel switches."""
    end_shims()
    mounts.taken_away(paths.STATE, paths.CONTAINERD)
    if has_bridge():
        run("ip", "link", "delete", paths.BRIDGE)
    firewall()
    cgroups()
    if SYSCTLS_BEFORE.exists():
        for name, value in json.loads(SYSCTLS_BEFORE.read_text()).items():
            Path("/proc/sys", name).write_text(value)


def kube_chains(save: str) -> str:
    """The part of `iptables-save` that Kubernetes wrote: its chains, and the rules in or to them."""
    return "\n".join(line for line in save.splitlines() if re.search(r"[: ]KUBE-", line))


def firewall() -> None:
    """Delete kube-proxy's chains and every jump to them; other rules stay as they are."""
    for family in ("iptables", "ip6tables"):
        save = run(f"{family}-save", check=False)
        if not kube_chains(save):
            continue
        kept = "\n".join(line for line in save.splitlines() if not re.search(r"[: ]KUBE-", line))
        run(f"{family}-restore", stdin=kept + "\n")


def shims() -> list[int]:
    """Ids of what our containerd left running: one that was interrupted forgets a container's keeper."""
    ours = str(CONTAINERD_SOCKET).encode()
    return [pid for pid, command in every("cmdline") if b"containerd-shim" in command and ours in command]


def end_shims() -> None:
    """End them and wait until they are gone; their containers have been ended before."""
    for pid in shims():
        send(pid, signal.SIGKILL)
    deadline = time.monotonic() + SHIM_SECONDS
    while shims() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def cgroups() -> None:
    """Remove the pods' empty cgroups, children first."""
    roots = [path for path in (CGROUPS / "kubepods", *CGROUPS.glob("*/kubepods")) if path.exists()]
    for root in roots:
        for path in sorted((p for p in root.rglob("*") if p.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                path.rmdir()
        with contextlib.suppress(OSError):
            root.rmdir()


def forget() -> None:
    """Delete the state folder; images stay in the cache."""
    shutil.rmtree(paths.STATE, ignore_errors=True)
