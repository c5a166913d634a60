"""`LAB=existing`: the same controller and observers as pods of the cluster that KUBECONFIG names."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lab import addons, builder, checks, forward, images, inside, paths, process, programs, releases
from lab.errors import LabError, NotReady, Refused
from lab.programs import kubectl
from release import context

Say = Callable[[str], None]
LABEL = "app.kubernetes.io/managed-by=sluice-lab"
CRD = "rollouts.argoproj.io"
FORWARDED = {"prometheus": paths.PROMETHEUS_PORT, "alertmanager": paths.ALERTMANAGER_PORT, "slack": paths.SLACK_PORT}
NEEDED = ("namespaces", "customresourcedefinitions", "clusterroles", "clusterrolebindings")
TEMPLATES = Path("/usr/share/prometheus/alertmanager")
WAIT_SECONDS = 120
CLUSTER_WIDE = "clusterrolebindings,clusterroles,customresourcedefinitions"


def up(say: Say) -> None:
    """Install what is missing; a second time changes nothing.

    Raises:
        Refused: KUBECONFIG, REGISTRY, the rights or the cluster are not fit for it; nothing was changed.
    """
    before_start()
    paths.STATE.mkdir(parents=True, exist_ok=True)
    image = built(builder.quiet(say))
    try:
        definitions()
        apply(inside.manifests(image))
        addons.notifications()
        for name in ("argo-rollouts", *FORWARDED):
            where = ("-n", paths.NAMESPACE, f"deployment/{name}")
            kubectl("rollout", "status", *where, f"--timeout={WAIT_SECONDS}s")
            say(f"  {name:14} ready")
        for service, port in FORWARDED.items():
            leads = forward.program(service, paths.NAMESPACE, port, port)
            leads.start()
            leads.wait()
    except LabError:
        down(say)
        raise
    say(f"installed in namespace {paths.NAMESPACE} of the cluster that {paths.KUBECONFIG} names")


def before_start() -> None:
    """Raises Refused, in one line, for the first thing that is missing; changes nothing."""
    if not os.environ.get("KUBECONFIG"):
        raise Refused("LAB=existing needs KUBECONFIG: name the file of the cluster to install into")
    if not paths.KUBECONFIG.is_file():
        raise Refused(f"KUBECONFIG={paths.KUBECONFIG}: no such file; name that of the cluster to install into")
    if not paths.REGISTRY:
        raise Refused("LAB=existing needs REGISTRY=host[:port][/path], one that the cluster can pull from")
    try:
        kubectl("get", "--raw", "/readyz", "--request-timeout=10s")
    except NotReady as error:
        raise Refused(f"KUBECONFIG={paths.KUBECONFIG}: the cluster does not answer ({error})") from error
    for resource in NEEDED:
        if "yes" not in kubectl("auth", "can-i", "create", resource, check=False):
            raise Refused(f"KUBECONFIG={paths.KUBECONFIG}: this account may not create {resource}; use one that may")
    if foreign("crd", CRD):
        raise Refused(f"the cluster has Argo Rollouts already ({CRD}): two controllers would fight; take another one")
    if foreign("namespace", paths.NAMESPACE):
        raise Refused(f"the cluster has a namespace {paths.NAMESPACE} that is not ours: delete or rename it")
    if not any(process.pid_of(forward.name(paths.NAMESPACE, service)) for service in FORWARDED):
        for port in FORWARDED.values():
            checks.free_port(port)
    home = next(path for path in (paths.STATE, *paths.STATE.parents) if path.exists())
    if not os.access(home, os.W_OK):
        raise Refused(f"{home} cannot be written to: run it with sudo, or set SLUICE_STATE to a folder of yours")


def foreign(kind: str, name: str) -> bool:
    """Is it there, and not by us?"""
    labels = kubectl("get", kind, name, "--ignore-not-found", "-o", "jsonpath={.metadata.labels}")
    return bool(labels) and "sluice-lab" not in labels


def built(say: Say) -> str:
    """The image with controller and observers, pushed; `repository@sha256:…`."""
    with builder.running() as client:
        lab = releases.Yard(client, say).fake(releases.clone(paths.ROOT / "build/source")).lab
        files = {f"bin/{name}": program(name) for name in inside.PROGRAMS}
        files |= {f"templates/{file.name}": file for file in TEMPLATES.glob("*.tmpl")}
        tag = hashlib.sha256(lab.encode() + b"".join(file.read_bytes() for file in files.values())).hexdigest()[:16]
        with archived(files) as archive:
            name = images.Name("sluice-lab/tools", tag)
            return images.pushed(client, name, archive, say, buildargs={"LAB": lab})


def program(name: str) -> Path:
    """A program of the tools, or one that a package brought."""
    own = paths.BIN / name
    found = own if own.is_file() else shutil.which(name)
    if found is None:
        raise Refused(f"{name} is missing: run `make tools`")
    return Path(found)


def archived(files: Mapping[str, Path]) -> io.BytesIO:
    """The build context: the Dockerfile, and these files under these names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        context.add(tar, {"Dockerfile": (inside.FOLDER / "Dockerfile").read_bytes()})
        for name, file in files.items():
            tar.add(file, arcname=name, filter=context.plain)
    packed.seek(0)
    return packed


def definitions() -> None:
    """The custom resources that the cluster does not have; only those that are ours go with `down`."""
    for source in addons.CRDS:
        for file in sorted(source.glob("*.yaml")) if source.is_dir() else [source]:
            if not kubectl("get", "-f", file, "--ignore-not-found", "-o", "name"):
                kubectl("apply", "--server-side", "-f", file)
                kubectl("label", "-f", file, LABEL)


def apply(things: Iterable[dict[str, Any]]) -> None:
    for thing in things:
        kubectl("apply", "-f", "-", stdin=json.dumps(thing))


def down(say: Say) -> None:
    """Take back exactly what `up` made in the cluster, and end the ways to it."""
    for running in process.running():
        process.stop(running)
    kubectl("delete", CLUSTER_WIDE, "-l", LABEL, "--ignore-not-found", "--timeout=60s")
    kubectl("delete", "namespace", "-l", LABEL, "--ignore-not-found", "--timeout=120s")
    shutil.rmtree(paths.STATE, ignore_errors=True)
    say("lab down: nothing of it is left in the cluster")


def status() -> dict[str, object]:
    """What runs, where its logs are and how to reach it."""
    pods = kubectl("get", "pods", "-n", paths.NAMESPACE, "-o", "name", check=False).split()
    return {
        "running": pods,
        "forwarded": process.running(),
        "logs": f"kubectl logs -n {paths.NAMESPACE} deployment/NAME",
        "kubectl": f"KUBECONFIG={paths.KUBECONFIG} {programs.binary('kubectl')} get pods -A",
        "prometheus": paths.PROMETHEUS,
        "slack": paths.SLACK,
        "registry": paths.REGISTRY,
    }
