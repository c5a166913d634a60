"""Prometheus and Alertmanager of the lab: production's rules and routes, read at a lab's pace."""

import json
import shutil
import urllib.parse
import urllib.request
from typing import Any

from lab import paths
from lab.process import Program
from lab.programs import answers, binary

SCRAPE = "1s"


def prometheus() -> Program:
    config = paths.STATE / "prometheus.json"
    config.write_text(json.dumps(prometheus_config(), indent=1))
    return Program(
        "prometheus",
        [
            binary("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={paths.STATE}/prometheus",
            f"--web.listen-address=127.0.0.1:{paths.PROMETHEUS_PORT}",
            "--storage.tsdb.retention.time=6h",
            "--query.lookback-delta=20s",
        ],
        answers(f"{paths.PROMETHEUS}/-/ready"),
    )


def prometheus_config() -> dict[str, object]:
    target = f"127.0.0.1:{paths.ALERTMANAGER_PORT}"
    return {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": [f"{paths.ROOT}/monitoring/rules/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]},
        "scrape_configs": [pods(), argo()],
    }


def pods() -> dict[str, object]:
    """Scrape every pod that asks for it, at the port that it names."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    return {
        "job_name": "pods",
        "kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": str(paths.KUBECONFIG)}],
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


def argo() -> dict[str, object]:
    return {
        "job_name": "argo-rollouts",
        "static_configs": [{"targets": [f"127.0.0.1:{paths.ARGO_METRICS_PORT}"]}],
    }


def alertmanager() -> Program:
    folder = paths.STATE / "alertmanager"
    folder.mkdir(exist_ok=True)
    routes = (paths.ROOT / "monitoring/alertmanager.yaml").read_text()
    (folder / "alertmanager.yaml").write_text(routes.replace("/etc/alertmanager/", f"{folder}/"))
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


def prometheus_answer(query: str) -> list[dict[str, Any]]:
    """The instant vector that a query gives now."""
    url = f"{paths.PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - a loopback address of the lab's own
        return list(json.load(reply)["data"]["result"])
