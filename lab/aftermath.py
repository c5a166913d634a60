"""`lab-down` as a scenario: what the machine looked like before the lab and after it must be the same."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import mounts, node, paths, process

BEFORE = Path("/run/sluice-lab.before.json")  # outside the state folder, which lab-down deletes


def seen() -> dict[str, list[str]]:
    """What a cluster leaves behind when it is not taken down well, each a list of names."""
    links = sorted(link.name for link in Path("/sys/class/net").iterdir())
    cgroups = [str(path) for path in (node.CGROUPS / "kubepods", *node.CGROUPS.glob("*/kubepods")) if path.exists()]
    return {
        "network interfaces": links,
        "mounts": sorted(mounts.points()),
        "network namespaces": sorted(path.name for path in Path("/run/netns").glob("*")),
        "firewall rules of Kubernetes": node.kube_chains(process.run("iptables-save", check=False)).splitlines(),
        "cgroups": cgroups,
        "kernel switches": [f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in node.SYSCTLS],
        "processes": sorted(ours()),
        "files": [str(paths.STATE)] if paths.STATE.exists() else [],
    }


def ours() -> list[str]:
    """Command lines that run one of the lab's programs or name its state folder."""
    return [line.strip()[:120] for line in process.commands() if str(paths.STATE) in line or "containerd-shim" in line]


def note() -> None:
    """Remember how the machine looked before the lab was started."""
    BEFORE.write_text(json.dumps(seen()))


def left_over(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """What is there now and was not there before, in words."""
    new = {kind: [one for one in names if one not in before[kind]] for kind, names in after.items()}
    return [f"left behind: {len(names)} {kind}, like {names[0]}" for kind, names in new.items() if names]


def row(down: Callable[[], None]) -> dict[str, Any]:
    """Take the lab down and compare: a row of the report like that of a scenario."""
    began = time.time()
    down()
    faults = left_over(json.loads(BEFORE.read_text()), seen())
    return {
        "name": "lab-down-leaves-nothing",
        "tier": "real",
        "expected": "nothing left",
        "verdict": "something left" if faults else "nothing left",
        "ok": not faults,
        "detect_seconds": None,
        "limit_seconds": None,
        "alert": None,
        "failed_stable": None,
        "seconds": round(time.time() - began, 1),
        "faults": faults,
    }
