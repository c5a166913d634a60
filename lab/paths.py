"""Where the lab keeps its things, and the loopback ports that it takes."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice"))
BIN = CACHE / "bin"
EXISTING = os.environ.get("LAB") == "existing"  # the cluster that KUBECONFIG names, instead of one of our own
STATE = Path(os.environ.get("SLUICE_STATE", "/var/lib/sluice-existing" if EXISTING else "/var/lib/sluice-lab"))
LOGS = STATE / "logs"
RUN = STATE / "run"
PKI = STATE / "pki"
KUBECONFIG = Path(os.environ.get("KUBECONFIG", "")) if EXISTING else STATE / "kubeconfig"
SLACK_STORE = STATE / "slack.jsonl"
CONTAINERD = CACHE / "containerd"  # images stay here, so that a second start is fast

REGISTRY_PORT = 5000
PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
SLACK_PORT = 9094
ARGO_METRICS_PORT = 8090
ETCD_PORT = 2379
POSTGRES_PORT = 5432  # on the node's own address: another server may have it on this machine's
API_PORT = 6443
REGISTRY = os.environ.get("REGISTRY", "") if EXISTING else f"127.0.0.1:{REGISTRY_PORT}"
PROMETHEUS = f"http://127.0.0.1:{PROMETHEUS_PORT}"
SLACK = f"http://127.0.0.1:{SLACK_PORT}"

NAMESPACE = "sluice-lab"  # of the observers and the controller, where they are pods
PROMETHEUS_INSIDE = f"http://prometheus.{NAMESPACE}:{PROMETHEUS_PORT}" if EXISTING else PROMETHEUS  # as Argo asks it
SLACK_INSIDE = f"http://slack.{NAMESPACE}:{SLACK_PORT}" if EXISTING else SLACK  # as Argo and Alertmanager tell it

BRIDGE = "sluice0"
NODE_IP = "10.188.0.1"
POD_CIDR = "10.188.0.0/16"
SERVICE_CIDR = "10.189.0.0/16"
API_SERVICE_IP = "10.189.0.1"
