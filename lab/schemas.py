"""Schemas for kubeconform, written here from the sources that the lab pins: no site is asked for them.

Kubernetes' own are in its module; those of Argo Rollouts, Argo CD and Traefik are in their resource definitions.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab import modules, paths, tools

FOLDER = paths.CACHE / "schemas"
PATTERN = "{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
EITHER = {  # what Kubernetes takes as text or as a number
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
}
Schema = dict[str, Any]


def closed(schema: Any) -> Any:
    """A field that a definition does not know is dropped by the API server; here it is an error."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if isinstance(inner.get("properties"), dict) and not inner.get("additionalProperties"):
        inner["additionalProperties"] = bool(inner.get("x-kubernetes-preserve-unknown-fields"))
    return inner


def kinds(definitions: dict[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """File name and schema of every kind of Kubernetes itself."""
    for name, schema in definitions.items():
        for one in schema.get("x-kubernetes-group-version-kind", []):
            group = one["group"].split(".")[0]
            yield file_of(one["kind"], group, one["version"]), {"$ref": f"definitions.json#/definitions/{name}"}


def file_of(kind: str, group: str, version: str) -> str:
    """As kubeconform asks for it: the core group has no name."""
    return "-".join(filter(None, [kind.lower(), group, version])) + ".json"


def custom(files: list[Path]) -> Iterator[tuple[str, Schema]]:
    """File name and schema of every resource that a definition in these files makes."""
    for document in (one for file in files for one in YAML(typ="safe").load_all(file.read_text()) if one):
        spec = document["spec"]
        for version in spec["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            yield file_of(spec["names"]["kind"], spec["group"].split(".")[0], version["name"]), schema


def write(folder: Path = FOLDER) -> str:
    """Write them when they are not those of the pinned versions; returns kubeconform's word for where they lie."""
    stamp = folder / "version"
    wanted = f"{modules.version('kubernetes', tools.KUBERNETES)} {tools.owners()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        source = modules.source("kubernetes", tools.KUBERNETES) / "api/openapi-spec/swagger.json"
        definitions = {
            name: closed(one) for name, one in json.loads(source.read_text())["definitions"].items()
        } | EITHER
        (folder / "definitions.json").write_text(json.dumps({"definitions": definitions}))
        found = [*kinds(definitions), *custom(sorted((paths.CACHE / "crds").rglob("*.yaml")))]
        for name, schema in found:
            (folder / name).write_text(json.dumps(schema))
        stamp.write_text(wanted)
    return PATTERN.format(folder=folder)
