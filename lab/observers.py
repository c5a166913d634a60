"""Prometheus and Alertmanager of the lab: production's rules and routes, read at a lab's pace."""

import json
import shutil
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import paths
from lab.process import Program
from lab.programs import answers, binary

SCRAPE = "1s"
PACE = ("--storage.tsdb.retention.time=6h", "--query.lookback-delta=20s")


@dataclass(frozen=True)
class Targets:
    """Where Prometheus finds the others, `host:port`."""

    alertmanager: str
    argo: str


def prometheus() -> Program:
    config = paths.STATE / "prometheus.json"
    targets = Targets(f"127.0.0.1:{paths.ALERTMANAGER_PORT}", f"127.0.0.1:{paths.ARGO_METRICS_PORT}")
    config.write_text(
        json.dumps(prometheus_config(targets, f"{paths.ROOT}/monitoring/rules", paths.KUBECONFIG), indent=1)
    )
    return Program(
        "prometheus",
        [
            binary("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={paths.STATE}/prometheus",
            f"--web.listen-address=127.0.0.1:{paths.PROMETHEUS_PORT}",
            *PACE,
        ],
        answers(f"{paths.PROMETHEUS}/-/ready"),
    )


def prometheus_config(targets: Targets, rules: str, kubeconfig: Path | None = None) -> dict[str, object]:
    """`rules` is a folder; without a kubeconfig the pod's own account looks for pods."""
    return {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": [f"{rules}/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [targets.alertmanager]}]}]},
        "scrape_configs": [
            pods({"kubeconfig_file": str(kubeconfig)} if kubeconfig else {}),
            {"job_name": "argo-rollouts", "static_configs": [{"targets": [targets.argo]}]},
        ],
    }


def pods(access: dict[str, str]) -> dict[str, object]:
    """Scrape every pod that asks for it, at the port that it names."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    return {
        "job_name": "pods",
        "kubernetes_sd_configs": [{"role": "pod", **access}],
        "relabel_configs": [
            {"source_labels": [f"{annotation}scrape"], "regex": "true", "action": "keep"},
            {"source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Running", "action": "keep"},
            {"source_labels": ["__meta_kubernetes_pod_container_init"], "regex": "true", "action": "drop"},
            {
                "source_labels": ["__meta_kubernetes_pod_ip", f"{annotation}port"],
                "regex": "(.+);(.+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
            {
                "source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_component"],
                "target_label": "component",
            },
        ],
    }


def alertmanager() -> Program:
    folder = paths.STATE / "alertmanager"
    folder.mkdir(exist_ok=True)
    (folder / "alertmanager.yaml").write_text(routes(str(folder)))
    (folder / "slack-url").write_text(f"{paths.SLACK}/services/alerts")
    return Program(
        "alertmanager",
        [
            shutil.which("prometheus-alertmanager") or "alertmanager",
            f"--config.file={folder}/alertmanager.yaml",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{paths.ALERTMANAGER_PORT}",
            "--cluster.listen-address=",
        ],
        answers(f"http://127.0.0.1:{paths.ALERTMANAGER_PORT}/-/ready"),
    )


def routes(folder: str) -> str:
    """Production's routes, with the files that they name in `folder`."""
    return (paths.ROOT / "monitoring/alertmanager.yaml").read_text().replace("/etc/alertmanager/", f"{folder}/")


def slack_messages(since: float) -> list[str]:
    """The texts that reached Slack since a time in unix seconds, oldest first."""
    with urllib.request.urlopen(f"{paths.SLACK}/messages", timeout=5) as reply:  # noqa: S310 - loopback
        return [message["text"] for message in json.load(reply) if message["time"] >= since]


def prometheus_answer(query: str) -> list[dict[str, Any]]:
    """The instant vector that a query gives now."""
    url = f"{paths.PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - a loopback address of the lab's own
        return list(json.load(reply)["data"]["result"])
