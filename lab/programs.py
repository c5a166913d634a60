"""The programs that make the cluster, in the order in which they start."""

import json
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from lab import node, paths
from lab.process import Program, run

ETCD = f"http://127.0.0.1:{paths.ETCD_PORT}"


def answers(url: str) -> Callable[[], bool]:
    """Whether the address answers 200."""

    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - a loopback address of the lab's own
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready


def binary(name: str) -> str:
    return str(paths.BIN / name)


def kubectl(*arguments: str | Path, check: bool = True, stdin: str | None = None) -> str:
    return run(binary("kubectl"), "--kubeconfig", paths.KUBECONFIG, *arguments, check=check, stdin=stdin)


def listed(kind: str, namespace: str, *more: str) -> list[dict[str, Any]]:
    """The objects of a kind, as the API server has them; `more` are words of kubectl's."""
    found: list[dict[str, Any]] = json.loads(kubectl("get", kind, "-n", namespace, *more, "-o", "json"))["items"]
    return found


def seconds_of(text: str) -> float:
    """Unix seconds of a time as Kubernetes writes it."""
    return datetime.fromisoformat(text).timestamp()


def etcd() -> Program:
    peer = f"http://127.0.0.1:{paths.ETCD_PORT + 1}"
    return Program("etcd", etcd_command(paths.STATE / "etcd", ETCD, peer), answers(f"{ETCD}/health"))


def etcd_command(data: Path, address: str, peer: str) -> list[str]:
    beside_python = Path(sys.executable).parent / "etcd"
    return [
        str(beside_python) if beside_python.exists() else shutil.which("etcd") or "etcd",
        f"--data-dir={data}",
        f"--listen-client-urls={address}",
        f"--advertise-client-urls={address}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]


def apiserver() -> Program:
    return Program(
        "kube-apiserver",
        [
            binary("kube-apiserver"),
            f"--etcd-servers={ETCD}",
            f"--bind-address={paths.NODE_IP}",
            f"--advertise-address={paths.NODE_IP}",
            f"--secure-port={paths.API_PORT}",
            f"--service-cluster-ip-range={paths.SERVICE_CIDR}",
            f"--tls-cert-file={paths.PKI}/api.crt",
            f"--tls-private-key-file={paths.PKI}/api.key",
            f"--token-auth-file={paths.PKI}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={paths.PKI}/sa.key",
            f"--service-account-signing-key-file={paths.PKI}/sa.key",
            "--authorization-mode=RBAC",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={paths.PKI}/ca.crt",
            f"--kubelet-client-certificate={paths.PKI}/api.crt",
            f"--kubelet-client-key={paths.PKI}/api.key",
            "--allow-privileged=false",
            "--profiling=false",
        ],
        lambda: "ok" in kubectl("get", "--raw", "/readyz", check=False),
    )


def controller_manager() -> Program:
    return Program(
        "kube-controller-manager",
        [
            binary("kube-controller-manager"),
            f"--kubeconfig={paths.KUBECONFIG}",
            f"--root-ca-file={paths.PKI}/ca.crt",
            f"--service-account-private-key-file={paths.PKI}/sa.key",
            "--use-service-account-credentials=false",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
        ],
    )


def scheduler() -> Program:
    command = [binary("kube-scheduler"), f"--kubeconfig={paths.KUBECONFIG}"]
    return Program("kube-scheduler", [*command, "--leader-elect=false", "--bind-address=127.0.0.1"])


def containerd() -> Program:
    command = ["containerd", "--config", str(node.CONTAINERD_CONFIG)]
    return Program("containerd", command, lambda: "SERVER" in ctr("version", check=False).upper())


def ctr(*arguments: str, check: bool = True) -> str:
    return run("ctr", "--address", node.CONTAINERD_SOCKET, "--namespace", "k8s.io", *arguments, check=check)


def kubelet() -> Program:
    return Program(
        "kubelet",
        [
            binary("kubelet"),
            f"--config={node.KUBELET_CONFIG}",
            f"--kubeconfig={paths.KUBECONFIG}",
            f"--root-dir={node.KUBELET}",
            f"--cert-dir={paths.PKI}/kubelet",
            "--hostname-override=lab",
            f"--node-ip={paths.NODE_IP}",
        ],
        lambda: "True" in kubectl("get", "node", "lab", "-o", f"jsonpath={NODE_READY}", check=False),
    )


NODE_READY = '{.status.conditions[?(@.type=="Ready")].status}'


def kube_proxy() -> Program:
    return Program(
        "kube-proxy",
        [
            binary("kube-proxy"),
            f"--kubeconfig={paths.KUBECONFIG}",
            "--proxy-mode=iptables",
            "--conntrack-max-per-core=0",
            "--hostname-override=lab",
            f"--cluster-cidr={paths.POD_CIDR}",
            "--nodeport-addresses=127.0.0.0/8",
            "--metrics-bind-address=127.0.0.1:10249",
            "--healthz-bind-address=127.0.0.1:10256",
        ],
    )


def coredns() -> Program:
    corefile = paths.STATE / "Corefile"
    corefile.write_text(
        f".:53 {{\n bind {paths.NODE_IP}\n errors\n kubernetes cluster.local {{\n  kubeconfig {paths.KUBECONFIG}\n }}\n"
        " health 127.0.0.1:8181\n}\n"
    )
    return Program("coredns", [binary("coredns"), "-conf", str(corefile)], answers("http://127.0.0.1:8181/health"))


def argo_rollouts() -> Program:
    return Program(
        "argo-rollouts",
        [
            binary("rollouts-controller"),
            f"--kubeconfig={paths.KUBECONFIG}",
            f"--metricsPort={paths.ARGO_METRICS_PORT}",
            "--leader-elect=false",
            "--loglevel=info",
        ],
        answers(f"http://127.0.0.1:{paths.ARGO_METRICS_PORT}/metrics"),
    )


def registry() -> Program:
    config = paths.STATE / "registry.yaml"
    config.write_text(
        "version: 0.1\nlog: {level: warn, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {paths.CACHE}/registry}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{paths.REGISTRY}'}}\n"
    )
    program = shutil.which("docker-registry") or "docker-registry"
    return Program("registry", [program, "serve", str(config)], answers(f"http://{paths.REGISTRY}/v2/"))


def slack() -> Program:
    command = [sys.executable, "-m", "lab.slack", "--port", str(paths.SLACK_PORT), "--store", str(paths.SLACK_STORE)]
    env = {"PYTHONPATH": str(paths.ROOT)}
    return Program("slack", command, answers(f"{paths.SLACK}/messages"), env)


def control_plane() -> list[Program]:
    return [etcd(), apiserver(), controller_manager(), scheduler()]


def workers() -> list[Program]:
    return [kubelet(), kube_proxy(), coredns()]
