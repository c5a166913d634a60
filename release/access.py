"""A workflow's way into a cluster: the API server trusts the forge's own tokens (OIDC), so that no secret is kept."""

import json
import os
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx2

from release.environment import mapping
from release.errors import ForgeAway, Refused

AUDIENCE = "sluice"  # what the API server's authentication configuration expects in the token


def kubeconfig(delivery: dict[str, Any], token: str) -> str:
    """A kubeconfig in JSON, which is YAML too, for the cluster that the environment names."""
    cluster: dict[str, Any] = {"server": delivery["cluster"]}
    if delivery.get("authority"):
        cluster["certificate-authority-data"] = b64encode(str(delivery["authority"]).encode()).decode()
    named = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sluice",
        "clusters": [{"name": "sluice", "cluster": cluster}],
        "users": [{"name": "sluice", "user": {"token": token}}],
        "contexts": [{"name": "sluice", "context": {"cluster": "sluice", "user": "sluice"}}],
    }
    return json.dumps(named, indent=1)


def token(client: httpx2.Client) -> str:
    """A token of this very workflow run, for ten minutes.

    Raises:
        Refused: the job lacks `id-token: write`, or this is no workflow.
        ForgeAway: the forge gives none.
    """
    url, secret = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"), os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not secret:
        raise Refused("no KUBECONFIG and no workflow identity: set KUBECONFIG, or give the job `id-token: write`")
    try:
        reply = client.get(url, params={"audience": AUDIENCE}, headers={"Authorization": f"Bearer {secret}"})
        reply.raise_for_status()
        return str(reply.json()["value"])
    except (httpx2.HTTPError, ValueError, KeyError) as error:
        raise ForgeAway(f"the forge gives this run no token ({type(error).__name__}); run it again") from error


def open_way(folder: Path) -> None:
    """Point KUBECONFIG of this process at the environment's cluster, unless somebody has set it already."""
    if os.environ.get("KUBECONFIG"):
        return
    delivery = mapping(folder / "values.yaml").get("delivery") or {}
    if not delivery.get("cluster"):
        raise Refused(f"{folder / 'values.yaml'}: delivery.cluster is empty; name the API server's address")
    file = Path(tempfile.mkdtemp()) / "kubeconfig"  # the folder is this user's alone
    with httpx2.Client(timeout=20) as client:
        file.write_text(kubeconfig(delivery, token(client)))
    os.environ["KUBECONFIG"] = str(file)
