"""Certificates and kubeconfig of the lab's API server, new for every cluster."""

import json
import secrets
from pathlib import Path

from lab import paths
from lab.process import run

SUBJECT_NAMES = (
    f"IP:{paths.NODE_IP},IP:127.0.0.1,IP:{paths.API_SERVICE_IP},DNS:kubernetes,DNS:kubernetes.default,"
    "DNS:kubernetes.default.svc"
)
SERVER_SUBJECT = "/O=system:masters/CN=kube-apiserver"  # it is also what the API server shows to the kubelet
SERVER = f"https://{paths.NODE_IP}:{paths.API_PORT}"


def make() -> None:
    """Write CA, server certificate, service-account key, admin token and kubeconfig under `paths.PKI`."""
    paths.PKI.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority()
    serving_certificate()
    run("openssl", "genrsa", "-out", paths.PKI / "sa.key", "2048")
    token = secrets.token_urlsafe(32)
    private("tokens.csv", f'{token},admin,admin,"system:masters"\n')
    paths.KUBECONFIG.write_text(kubeconfig(token, SERVER, paths.PKI / "ca.crt"))
    paths.KUBECONFIG.chmod(0o600)


def authority() -> None:
    run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=sluice-lab"),
        *("-keyout", paths.PKI / "ca.key", "-out", paths.PKI / "ca.crt"),
    )


def serving_certificate() -> None:
    request, extensions = paths.PKI / "api.csr", paths.PKI / "api.ext"
    extensions.write_text(f"subjectAltName={SUBJECT_NAMES}\n")
    run(
        *("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", SERVER_SUBJECT),
        *("-keyout", paths.PKI / "api.key", "-out", request),
    )
    run(
        *("openssl", "x509", "-req", "-in", request, "-days", "30", "-CAcreateserial", "-extfile", extensions),
        *("-CA", paths.PKI / "ca.crt", "-CAkey", paths.PKI / "ca.key", "-out", paths.PKI / "api.crt"),
    )


def private(name: str, text: str) -> None:
    file = paths.PKI / name
    file.touch(mode=0o600)
    file.write_text(text)


def kubeconfig(token: str, server: str, authority: Path) -> str:
    """An admin's kubeconfig; JSON, which every reader of YAML accepts."""
    cluster = {"server": server, "certificate-authority": str(authority)}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sluice-lab", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "sluice-lab", "context": {"cluster": "sluice-lab", "user": "admin"}}],
            "current-context": "sluice-lab",
        },
        indent=1,
    )
