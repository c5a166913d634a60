"""`python -m lab.plan [FOLDER …]`: infrastructure/ is valid, and cluster/ does what it should on an API server.

Providers come from their registry, or from PLUGINS, a filesystem mirror of it.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import addons, apiserver, grants, paths, tools
from lab.apiserver import Api
from lab.charts import Charts
from lab.errors import LabError
from lab.terraform import plant
from lab.tofu import CHANGES, Tofu
from model.running import free_port

HERE = "lab/plan.py"
FOLDERS = ("cluster", "aws")
ENVIRONMENTS = ("staging", "prod")  # of example.tfvars
MONITORING = {"prometheus": "1.2.3", "rollouts": "4.5.6", "controller": "v7.8.9"}
MADE = (  # for each environment
    "kubernetes_limit_range_v1.defaults",
    "kubernetes_namespace_v1.environment",
    "kubernetes_resource_quota_v1.budget",
    "kubernetes_role_binding_v1.release",
    "kubernetes_role_v1.release",
)
INSTALLED = ("helm_release.prometheus", "helm_release.rollouts")
# Each is written into a copy, and must be found there: (file, what stands there, what is written instead, said by tofu
# or found by a check).
INVALID = (
    ("roles.tf", "  role_ref {", "  role_reference {", '"role_reference"'),
    ("namespaces.tf", "    hard =", "    heard =", '"heard"'),
    ("example.auto.tfvars", "pods     = 30", "pods     = 0", "pods must be above 0"),
    ("example.auto.tfvars", "staging = {", "Staging = {", "takes for a namespace"),
)
PLANTED = (
    ("roles.tf", '["replicasets"]', '["controllerrevisions"]', "a release is handed over"),
    ("roles.tf", '["pods"]', '["pods", "pods/exec"]', "nothing else is allowed"),
    ("namespaces.tf", '"requests.${var.gpu_resource}"', '"count/cronjobs.batch"', "the budget holds"),
    ("namespaces.tf", '"restricted"', '"privileged"', "pods are restricted"),
    ("namespaces.tf", 'cpu = "100m", ', "", "every container asks"),
    ("monitoring.tf", "podMonitorSelectorNilUses", "serviceMonitorSelectorNilUses", "monitoring sees every release"),
)


@dataclass(frozen=True)
class Ground:
    """A cluster, and what tofu makes there."""

    api: Api
    tofu: Tofu


def complete(ground: Ground) -> str:
    made = sorted(f"{name.split('[')[0]} {what[0]}" for name, what in ground.tofu.planned().items())
    wanted = [*INSTALLED, *(name for name in MADE for _ in ENVIRONMENTS)]
    return "" if made == [f"{name} create" for name in wanted] else f"planned {made}"


def settled(ground: Ground) -> str:
    return "" if not (left := ground.tofu.planned()) else f"a second plan would change {left}"


def watched(ground: Ground) -> str:
    """Whether the charts are told to look into all namespaces, and which controller to run."""
    prometheus = kept(ground.api, "monitoring", "prometheus")
    rollouts = kept(ground.api, "argo-rollouts", "argo-rollouts")
    spec = prometheus["prometheus"]["prometheusSpec"]
    blind = [f"{kind}SelectorNilUsesHelmValues" for kind in ("podMonitor", "rule")]
    wrong = [name for name in blind if spec.get(name) is not False]
    if rollouts["controller"]["image"]["tag"] != MONITORING["controller"]:
        wrong.append("controller.image.tag")
    return ", ".join(wrong)


def kept(api: Api, namespace: str, release: str) -> dict[str, Any]:
    """The values that a stand-in chart was given."""
    held = json.loads(api.kubectl("--namespace", namespace, "get", "configmap", release, "-o", "json"))
    return dict(json.loads(held["data"]["values"]))


def noticed(ground: Ground) -> str:
    """A quota that somebody raised by hand is put back."""
    more = '{"spec":{"hard":{"pods":"99"}}}'
    ground.api.kubectl("--namespace", "staging", "patch", "resourcequota", "budget", "--patch", more)
    seen = ground.tofu.run("plan", "-input=false", "-detailed-exitcode", good=(0, CHANGES)).returncode == CHANGES
    ground.tofu.apply()
    return settled(ground) if seen else "a quota raised by hand is not in the plan"


def gone(ground: Ground) -> str:
    ground.tofu.destroy()
    left = ground.api.kubectl("get", "namespaces", "-o", "name").split()
    return "".join(f"{name} is left" for name in ENVIRONMENTS if f"namespace/{name}" in left)


CHECKS: Mapping[str, Callable[[Ground], str]] = {
    "applied twice changes nothing": settled,
    "a release is handed over": lambda ground: grants.handed_over(ground.api),
    "nothing else is allowed": lambda ground: grants.more(ground.api),
    "the budget holds": lambda ground: grants.exceeded(ground.api),
    "pods are restricted": lambda ground: grants.unrestricted(ground.api),
    "every container asks": lambda ground: grants.silent(ground.api),
    "monitoring sees every release": watched,
    "a hand edit is noticed": noticed,
}


def say(name: str, why: str) -> bool:
    print(f"{'ok' if not why else 'no'}  {name}{why and f': {why}'}", flush=True)  # noqa: T201
    return not why


def judged(tofu: Tofu, api: Api) -> bool:
    """Plan, apply and every check; then the planted faults, and the end of all that was made."""
    ground = Ground(api, tofu)
    good = say("the plan is complete", complete(ground))
    tofu.apply()
    for name, check in CHECKS.items():
        good &= say(name, check(ground))
    plant(tofu.folder, *PLANTED, kept=HERE)
    tofu.apply()
    for _, _, bad, name in PLANTED:
        why = CHECKS[name](ground)
        fault = f"planted, {bad or 'a request left out'}"
        good &= say(f"{fault}: {why[:100]}" if why else fault, "" if why else f"not found by: {name}")
    return good & say("nothing is left", gone(ground))


def invalid(tofu: Tofu) -> bool:
    """Whether tofu finds what is planted before anything is applied."""
    good = True
    for file, was, bad, why in INVALID:
        text = (tofu.folder / file).read_text()
        plant(tofu.folder, (file, was, bad, why), kept=HERE)
        said = tofu.wrong("plan", "-input=false")
        good &= say(f"planted, {' '.join(bad.split())}", "" if why in said else f"tofu said {said or 'nothing'}")
        (tofu.folder / file).write_text(text)
    return good


def proved(place: Path, folders: list[str]) -> bool:
    shutil.copytree(paths.ROOT / "infrastructure", place / "infrastructure")
    good = True
    for name in folders:
        tofu = Tofu(place / "infrastructure" / name)
        tofu.init(os.environ.get("PLUGINS", ""))
        good &= say(f"{name} is valid", tofu.wrong("validate"))
    if "cluster" not in folders:
        return good
    folder = place / "infrastructure/cluster"
    shutil.copyfile(folder / "example.tfvars", folder / "example.auto.tfvars")
    stored = {"kube-prometheus-stack": MONITORING["prometheus"], "argo-rollouts": MONITORING["rollouts"]}
    with apiserver.running(place) as api, Charts(place / "charts", free_port(), stored) as charts:
        for source in addons.CRDS:
            api.kubectl("create", "-f", str(source))
        where = dict.fromkeys(("prometheus", "rollouts"), charts.address)
        known = {"kubeconfig": str(api.kubeconfig), "monitoring": MONITORING, "repositories": where}
        tofu = Tofu(folder, known)
        return invalid(tofu) & judged(tofu, api) & good


def main() -> int:
    folders = sys.argv[1:] or list(FOLDERS)
    try:
        tools.ensure(lambda line: print(line, flush=True), [*apiserver.PROGRAMS, "helm", "tofu"])  # noqa: T201
        tools.definitions()
        with tempfile.TemporaryDirectory(prefix="sluice-plan-") as place:
            return 0 if proved(Path(place), folders) else 1
    except LabError as error:
        print(f"plan: {error}", file=sys.stderr)  # noqa: T201
        return error.code


if __name__ == "__main__":
    sys.exit(main())
