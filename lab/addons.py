"""What the lab applies to its API server: custom resources, Argo's namespace and notifications."""

import json

from lab import paths
from lab.programs import kubectl

ARGO_NAMESPACE = paths.NAMESPACE if paths.EXISTING else "argo-rollouts"  # the controller's own, else its default
CRDS = tuple(paths.CACHE / "crds" / name for name in ("argo-rollouts", "traefik"))


def install() -> None:
    """Apply everything; a second time changes nothing."""
    for source in CRDS:
        kubectl("apply", "--server-side", "--force-conflicts", "-f", source)
    kubectl("create", "namespace", ARGO_NAMESPACE, check=False)
    notifications()


def notifications() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "argo-rollouts-notification-secret", "namespace": ARGO_NAMESPACE},
        "stringData": {"slack-token": "xoxb-lab", "slack-api-url": f"{paths.SLACK_INSIDE}/api/"},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    kubectl("apply", "-n", ARGO_NAMESPACE, "-f", paths.ROOT / "monitoring/notifications.yaml")
