"""Drift: what the cluster holds against what git says, field by field; fields that git leaves open may be anything."""

from collections.abc import Iterator
from typing import Any

from lightkube import ApiError, Client
from lightkube.core.resource_registry import resource_registry
from lightkube.generic_resource import create_namespaced_resource

from release.cluster import VERSION, Cluster, State, answers, plain
from release.errors import Drifted

Manifest = dict[str, Any]
# Written by controllers all the time: the HPA's and Argo's own fields, and selectors that Argo moves between arms.
MOVING: dict[str, tuple[str, ...]] = {
    "Service": ("spec.selector.rollouts-pod-template-hash",),
    "TraefikService": ("spec.weighted",),
    "Secret": ("data",),  # made once in the cluster; a chart that is rendered elsewhere makes another
}
FAST = "sluice.dev/fast"


def drifted(wanted: list[Manifest], live: dict[str, Manifest | None]) -> list[str]:
    """One sentence per field that differs; `live` is by Kind/name, None for what is gone."""
    found: list[str] = []
    for manifest in wanted:
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        there = live.get(name)
        if there is None:
            found.append(f"{name}: gone from the cluster")
            continue
        moving = MOVING.get(manifest["kind"], ())
        found += [f"{name} {line}" for path, line in compared(manifest, there) if not path.startswith(moving)]
    return found


def compared(wanted: Manifest, live: Manifest) -> Iterator[tuple[str, str]]:
    """Path and sentence of each difference below spec, data, labels and annotations."""
    for part in ("spec", "data", "rules", "roleRef", "subjects"):
        if part in wanted:
            yield from fields(part, wanted[part], live.get(part))
    for part in ("labels", "annotations"):
        asked, has = wanted["metadata"].get(part) or {}, live["metadata"].get(part) or {}
        yield from fields(f"metadata.{part}", asked, has)


def fields(path: str, wanted: Any, live: Any) -> Iterator[tuple[str, str]]:
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            yield from fields(f"{path}.{key}", value, live.get(key))
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from fields(f"{path}[{index}]", one, other)
    elif not same(wanted, live):
        yield path, f"{path}: git {wanted!r}, cluster {live!r}"


def same(wanted: Any, live: Any) -> bool:
    """Equal, or empty on one side and absent on the other, or one quantity written twice (1000m is 1)."""
    if wanted in (None, {}, [], "") and live in (None, {}, [], ""):
        return True
    return bool(wanted == live or quantity(wanted) == quantity(live))


def quantity(value: Any) -> Any:
    """A Kubernetes quantity as a number, anything else as its text."""
    text, units = str(value), {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
    for unit in sorted(units, key=len, reverse=True):
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit():
            return float(number) * units[unit]
    return float(text) if text.replace(".", "", 1).isdigit() else text


def went_fast(client: Client, namespace: str, name: str) -> bool:
    """Whether the last release was a rollback without steps: git asks for those steps then."""
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": f"{name}-engine"}}
    found = fetched(client, rollout, namespace)
    return found is not None and FAST in (found["metadata"].get("annotations") or {})


def stopped(cluster: Cluster, version: str) -> list[str]:
    """One sentence per Rollout of this version that was stopped: it holds what git says, and something else runs."""
    found = [(part, part.find()) for part in (cluster, cluster.gateway)]
    return [
        f"Rollout/{part.name}: git says {version}, which was stopped ({at.reason or at.message}); "
        f"{serving(part, at)} runs"
        for part, at in found
        if at is not None and at.abort and at.observed and at.version == version
    ]


def serving(part: Cluster, at: State) -> str:
    """The version of the stable pods, which Argo keeps on their ReplicaSet."""
    pods = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": f"{part.name}-{at.stable}"}}
    found = fetched(part.client, pods, part.namespace) or {"metadata": {}}
    return str((found["metadata"].get("annotations") or {}).get(VERSION) or "the version before it")


def refuse(namespace: str, lines: list[str], stopped: list[str], command: str) -> None:
    """Raise Drifted when there is anything of either kind, and say what is to be done."""
    if stopped:
        raise Drifted(f"{namespace}: git still names a release that was stopped; merge its revert, or `{command}`")
    if lines:
        raise Drifted(f"{namespace}: {len(lines)} fields are not as git says; deploy, or commit them")


def live(client: Client, wanted: list[Manifest], namespace: str) -> dict[str, Manifest | None]:
    """Each wanted object as the cluster has it."""
    return {f"{one['kind']}/{one['metadata']['name']}": fetched(client, one, namespace) for one in wanted}


def fetched(client: Client, manifest: Manifest, namespace: str) -> Manifest | None:
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind = manifest["kind"]
    known = resource_registry.get(manifest["apiVersion"], kind)  # a second class of one kind is refused
    resource: Any = known or create_namespaced_resource(group, version, kind, plural(kind))
    with answers():
        try:
            return plain(client.get(resource, manifest["metadata"]["name"], namespace=namespace))
        except ApiError as error:
            if error.status.code != 404:
                raise
    return None


def plural(kind: str) -> str:
    """A kind's plural, as the API server names it in addresses."""
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"
