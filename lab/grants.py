"""What infrastructure/cluster grants to a workflow and refuses to everybody, asked of a real API server."""

import copy
import json
from pathlib import Path
from typing import Any

from lab import linters, paths, process
from lab.apiserver import Api
from lab.errors import LabError

NAMESPACE = "staging"
USER = "sluice:repo:your-org/sluice:ref:refs/heads/main"  # the subject of example.tfvars, with its prefix
GPU = "nvidia.com/gpu"
BUDGET = 4  # GPUs of staging there
ANYWHERE = "--all-namespaces"
# What `sluice` asks for beside what Helm does.
MUST = (
    ("patch", "rollouts.argoproj.io", "--subresource=status"),
    ("list", "analysisruns.argoproj.io"),
    ("watch", "rollouts.argoproj.io"),
    ("list", "replicasets.apps"),
    ("get", "services", "--subresource=proxy"),
    ("create", "services", "--subresource=proxy"),
)
MUST_NOT = (
    *((verb, "pods", "--subresource=exec") for verb in ("get", "create")),
    ("create", "pods"),
    ("create", "serviceaccounts", "--subresource=token"),
    ("patch", "resourcequotas"),
    ("delete", "limitranges"),
    ("patch", "namespaces"),
    ("escalate", "roles.rbac.authorization.k8s.io"),
    ("bind", "clusterroles.rbac.authorization.k8s.io"),
    ("create", "namespaces"),
    ("get", "nodes"),
    ("impersonate", "users"),
    ("list", "secrets", ANYWHERE),
    ("create", "rollouts.argoproj.io", "--namespace=default"),
    ("get", "secrets", "--namespace=kube-system"),
)
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probe"},
    "spec": {
        "containers": [
            {
                "name": "one",
                "image": "registry.invalid/x",
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            }
        ]
    },
}


def may(api: Api, *words: str) -> bool:
    place = [] if any(word.startswith(("--namespace", ANYWHERE)) for word in words) else ["--namespace", NAMESPACE]
    return api.kubectl("auth", "can-i", *words, "--as", USER, *place, check=False).strip() == "yes"


def handed_over(api: Api) -> str:
    """Why Helm cannot install, change and remove the chart as a workflow; empty when it can."""
    words = linters.workload(paths.ROOT, NAMESPACE)
    try:
        for more in ([], ["--set", "gateway.replicas=3"]):
            helm(api.kubeconfig, "upgrade", "--install", "llm", *words, *more)
        helm(api.kubeconfig, "uninstall", "llm")
    except LabError as error:
        return str(error)
    return "".join(f"{' '.join(words)} is refused; " for words in MUST if not may(api, *words))


def helm(kubeconfig: Path, *words: str) -> None:
    given = ["--kubeconfig", str(kubeconfig), "--kube-as-user", USER, "--namespace", NAMESPACE]
    process.run(paths.BIN / "helm", *given, *words)


def more(api: Api) -> str:
    """What a workflow may beyond releasing; empty when nothing."""
    allowed = [" ".join(words) for words in MUST_NOT if may(api, *words)]
    grab = ["create", "rolebinding", "grab", "--clusterrole=cluster-admin", f"--user={USER}"]
    if "attempting to grant" not in api.denied("--namespace", NAMESPACE, "--as", USER, *grab):
        allowed.append("a binding to cluster-admin")
    return "; ".join(f"{one} is allowed" for one in allowed)


def pod(**changed: Any) -> str:
    """A pod that every rule lets pass, but for what is changed in its container."""
    made = copy.deepcopy(POD)
    made["spec"]["containers"][0] |= changed
    return json.dumps(made)


def refused(api: Api, manifest: str) -> str:
    """Why the API server does not take it; what it takes is removed again."""
    if why := api.denied("--namespace", NAMESPACE, "create", "-f", "-", stdin=manifest):
        return why
    api.kubectl("--namespace", NAMESPACE, "delete", "--now", "-f", "-", stdin=manifest)
    return ""


def exceeded(api: Api) -> str:
    """Of a pod with every GPU of the budget and one with more, and of a load balancer."""
    gpus = [{"limits": {GPU: count, "cpu": "1", "memory": "1Gi"}} for count in (BUDGET, BUDGET + 1)]
    if why := refused(api, pod(resources=gpus[0])):
        return f"a pod within the budget is refused: {why}"
    if "exceeded quota" not in refused(api, pod(resources=gpus[1])):
        return f"{BUDGET + 1} GPUs are taken"
    balancer = {"type": "LoadBalancer", "ports": [{"port": 80}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "probe"}, "spec": balancer}
    return "" if "exceeded quota" in refused(api, json.dumps(service)) else "a load balancer is taken"


def unrestricted(api: Api) -> str:
    return "" if "PodSecurity" in refused(api, pod(securityContext={})) else "a pod that may be root's is taken"


def silent(api: Api) -> str:
    """Of a container that asks for nothing: it gets the defaults, and counts."""
    return refused(api, pod(resources={}))
