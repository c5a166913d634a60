"""What a release changes in the cluster: its rendered manifests against the deployed ones."""

import difflib
import io
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from ruamel.yaml import YAML

LINES = 60  # as many as someone reads before saying yes
REPEATED = ("app.kubernetes.io/version", "helm.sh/chart")  # labels that every object repeats: the Rollout says it once
FIRST = ("Rollout", "Deployment")


def documents(manifests: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Each manifest as YAML with sorted keys under `Kind/name`; what is secret or repeated is not shown."""
    return {f"{one['kind']}/{one['metadata']['name']}": dumped(shown(one)) for one in manifests}


def shown(manifest: dict[str, Any]) -> dict[str, Any]:
    copy = deepcopy(manifest)
    for label in REPEATED:
        (copy["metadata"].get("labels") or {}).pop(label, None)
    if copy["kind"] == "Secret":
        for key in ("data", "stringData"):
            copy[key] = dict.fromkeys(copy.get(key) or {}, "(hidden)")
    return copy


def dumped(manifest: dict[str, Any]) -> str:
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.width = False, 4096
    yaml.dump(manifest, text)
    return text.getvalue()


def difference(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> list[str]:
    """Unified, one line of context, what serves first; empty when both are the same but for secrets."""
    old, new = documents(before), documents(after)
    lines: list[str] = []
    for name in sorted(old.keys() | new.keys(), key=lambda name: (name.split("/")[0] not in FIRST, name)):
        if name not in old or name not in new:
            lines.append(f"{'+ new' if name in new else '- gone'} {name}")
            continue
        texts = old[name].splitlines(), new[name].splitlines()
        changed = list(difflib.unified_diff(*texts, n=1, lineterm=""))[2:]
        lines += [f"~ {name}", *changed] if changed else []
    return lines


def short(lines: list[str], limit: int = LINES) -> list[str]:
    """The first lines, and how many more there are."""
    return lines if len(lines) <= limit else [*lines[:limit], f"… and {len(lines) - limit} lines more"]
