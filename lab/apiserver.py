"""A Kubernetes API with its controllers and without a node: free loopback ports, one folder, no root."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lab import pki, process, programs
from lab.server import Server
from model.running import free_port

PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kubectl"]
SERVICES = "10.190.0.0/24"  # nothing ever routes there


class Etcd(Server):
    name, health = "etcd", "/health"

    def command(self) -> list[str]:
        return programs.etcd_command(self.folder / "data", self.address, f"http://127.0.0.1:{free_port()}")


class Api(Server):
    """It makes its own certificate, which its kubeconfig then trusts."""

    name = "kube-apiserver"

    def __init__(self, folder: Path, etcd: str) -> None:
        super().__init__(folder, free_port())
        self.etcd, self.kubeconfig, self.key = etcd, folder / "kubeconfig", folder / "accounts.key"

    def prepare(self) -> None:
        super().prepare()
        process.run("openssl", "genrsa", "-out", self.key, "2048")
        token = secrets.token_urlsafe(32)
        for file, text in (
            (self.folder / "tokens.csv", f'{token},admin,admin,"system:masters"\n'),
            (self.kubeconfig, pki.kubeconfig(token, f"https://127.0.0.1:{self.port}", self.folder / "apiserver.crt")),
        ):
            file.touch(mode=0o600)
            file.write_text(text)

    def command(self) -> list[str]:
        return [
            programs.binary(self.name),
            f"--etcd-servers={self.etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # it would refuse to name a loopback address
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.key}",
            f"--service-account-signing-key-file={self.key}",
            "--authorization-mode=RBAC",
            "--profiling=false",
        ]

    def answers(self) -> bool:
        return "ok" in self.kubectl("get", "--raw", "/readyz", check=False)

    def words(self, *words: str) -> list[str]:
        return [programs.binary("kubectl"), "--kubeconfig", str(self.kubeconfig), *words]

    def kubectl(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        return process.run(*self.words(*words), check=check, stdin=stdin)

    def denied(self, *words: str, stdin: str | None = None) -> str:
        """All that kubectl says where it was refused; empty when it was not."""
        done = subprocess.run(self.words(*words), input=stdin, capture_output=True, text=True, check=False)  # noqa: S603
        return done.stderr.strip() if done.returncode else ""


class Controllers(Server):
    """Accounts of namespaces, quotas, and the end of what was deleted."""

    name = "kube-controller-manager"

    def __init__(self, folder: Path, api: Api) -> None:
        super().__init__(folder, free_port())
        self.api = api

    def command(self) -> list[str]:
        return [
            programs.binary(self.name),
            f"--kubeconfig={self.api.kubeconfig}",
            f"--service-account-private-key-file={self.api.key}",
            f"--root-ca-file={self.api.folder}/apiserver.crt",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}",
        ]

    def answers(self) -> bool:
        return "default" in self.api.kubectl("get", "serviceaccounts", "-o", "name", check=False)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Api]:
    """Raises NotReady when one of the three does not come up."""
    with (
        Etcd(folder / "etcd", free_port()) as etcd,
        Api(folder / "api", etcd.address) as api,
        Controllers(folder / "controllers", api),
    ):
        yield api
