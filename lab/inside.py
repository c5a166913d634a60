"""The controller and the observers as manifests: pods of a cluster, where the lab has processes of this machine."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML

from lab import observers, paths

Manifest = dict[str, Any]
FOLDER = paths.ROOT / "lab/manifests"
OURS = {"app.kubernetes.io/managed-by": "sluice-lab"}
BIN = "/opt/sluice/bin"
PROGRAMS = ("rollouts-controller", "prometheus", "prometheus-alertmanager")
TARGETS = observers.Targets(f"alertmanager:{paths.ALERTMANAGER_PORT}", f"argo-rollouts:{paths.ARGO_METRICS_PORT}")


def manifests(image: str) -> Iterator[Manifest]:
    """Everything but the custom resources' definitions, in the order in which it is applied."""
    yield thing("Namespace", paths.NAMESPACE)
    for name in ("argo-rollouts", "prometheus"):
        yield thing("ServiceAccount", name)
    for role in YAML(typ="safe").load_all((FOLDER / "access.yaml").read_text(encoding="utf-8")):
        role["metadata"]["labels"] = OURS
        yield role
    rules = {file.name: file.read_text() for file in sorted((paths.ROOT / "monitoring/rules").glob("*.yaml"))}
    config = json.dumps(observers.prometheus_config(TARGETS, "/etc/rules"))
    yield thing("ConfigMap", "prometheus", data={"prometheus.json": config})
    yield thing("ConfigMap", "prometheus-rules", data=rules)
    yield thing("ConfigMap", "alertmanager", data={"alertmanager.yaml": observers.routes("/etc/alertmanager")})
    yield thing("Secret", "alertmanager", stringData={"slack-url": f"{paths.SLACK_INSIDE}/services/alerts"})
    yield from programs(image)


def programs(image: str) -> Iterator[Manifest]:
    argo = [f"{BIN}/rollouts-controller", f"--metricsPort={paths.ARGO_METRICS_PORT}", "--leader-elect=false"]
    yield from served("argo-rollouts", image, argo, paths.ARGO_METRICS_PORT, "/metrics")
    yield from served(
        "prometheus",
        image,
        [
            *(f"{BIN}/prometheus", "--config.file=/etc/prometheus/prometheus.json", "--storage.tsdb.path=/tmp/data"),
            *(f"--web.listen-address=:{paths.PROMETHEUS_PORT}", *observers.PACE),
        ],
        paths.PROMETHEUS_PORT,
        "/-/ready",
        {
            "/etc/prometheus": {"configMap": {"name": "prometheus"}},
            "/etc/rules": {"configMap": {"name": "prometheus-rules"}},
        },
    )
    routed = [{"configMap": {"name": "alertmanager"}}, {"secret": {"name": "alertmanager"}}]
    yield from served(
        "alertmanager",
        image,
        [
            *(f"{BIN}/prometheus-alertmanager", "--config.file=/etc/alertmanager/alertmanager.yaml"),
            *(f"--web.listen-address=:{paths.ALERTMANAGER_PORT}", "--storage.path=/tmp/data"),
            "--cluster.listen-address=",
        ],
        paths.ALERTMANAGER_PORT,
        "/-/ready",
        {"/etc/alertmanager": {"projected": {"sources": routed}}},
    )
    slack = ["python3", "-m", "lab.slack", "--host=0.0.0.0", f"--port={paths.SLACK_PORT}", "--store=/tmp/slack.jsonl"]
    yield from served("slack", image, slack, paths.SLACK_PORT, "/messages")


def served(
    name: str, image: str, command: list[str], port: int, ready: str, mounts: Mapping[str, Manifest] | None = None
) -> Iterator[Manifest]:
    """One pod and its Service; only the two that ask the API get an account's token."""
    labels = {**OURS, "app.kubernetes.io/name": name}
    account = name if name in ("argo-rollouts", "prometheus") else None
    volumes = {f"mount-{number}": (path, source) for number, (path, source) in enumerate((mounts or {}).items())}
    container = {
        "name": name,
        "image": image,
        "command": command,
        "ports": [{"containerPort": port}],
        "readinessProbe": {"httpGet": {"path": ready, "port": port}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod's own
            *({"name": volume, "mountPath": path} for volume, (path, _) in volumes.items()),
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
    }
    pod = {
        "automountServiceAccountToken": account is not None,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            *({"name": volume, **source} for volume, (_, source) in volumes.items()),
        ],
    } | ({"serviceAccountName": account} if account else {})
    yield thing(
        "Deployment",
        name,
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    )
    yield thing("Service", name, spec={"selector": labels, "ports": [{"port": port}]})


VERSIONS = {"Deployment": "apps/v1"}


def thing(kind: str, name: str, **content: Any) -> Manifest:
    """An object of ours, in our namespace when it has one."""
    metadata: Manifest = {"name": name, "labels": OURS}
    if kind != "Namespace":
        metadata["namespace"] = paths.NAMESPACE
    return {"apiVersion": VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata, **content}
