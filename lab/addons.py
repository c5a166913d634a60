"""What the lab applies to its API server: custom resources, Argo's namespace and notifications."""

import json

from lab import paths
from lab.programs import kubectl

ARGO_NAMESPACE = "argo-rollouts"


def install() -> None:
    """Apply everything; a second time changes nothing."""
    crds = paths.CACHE / "crds"
    for source in (crds / "argo-rollouts", crds / "traefik"):
        kubectl("apply", "--server-side", "--force-conflicts", "-f", source)
    kubectl("create", "namespace", ARGO_NAMESPACE, check=False)
    notifications()


def notifications() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "argo-rollouts-notification-secret", "namespace": ARGO_NAMESPACE},
        "stringData": {"slack-token": "xoxb-lab", "slack-api-url": f"{paths.SLACK}/api/"},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    kubectl("apply", "-n", ARGO_NAMESPACE, "-f", paths.ROOT / "monitoring/notifications.yaml")
