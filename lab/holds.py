"""What holds a release though its gates have passed: a bake time, a person, a window; in an environment of its own."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import measures, paths
from lab.deliveries import Seen, engine_of
from lab.errors import NotReady
from lab.mishaps import at_version
from lab.office import OWNER
from lab.programs import listed, seconds_of
from lab.site import PORTS, Site, waited
from release import audit
from release.write import path_of

TRIAL, PLACE = "trial", "environments/trial"
BAKE = 5
LOOKS = 3  # at a window that is closed, before it counts as one that holds
OPEN = {"days": [0, 1, 2, 3, 4, 5, 6], "from": 0, "to": 24}
WAITS: list[dict[str, Any]] = [
    {"weight": 0, "minimum": 5},
    {"weight": 50, "minimum": 5, "bake": BAKE, "approval": True, "window": OPEN},
]


def shut(now: datetime) -> dict[str, Any]:
    """A window that is hours away, on the same day."""
    begin = 2 if now.hour >= 12 else 20
    return {"days": OPEN["days"], "from": begin, "to": begin + 1}


def closing(now: datetime) -> list[dict[str, Any]]:
    return [{"weight": 0, "minimum": 5, "window": shut(now)}, {"weight": 50, "minimum": 5}]


def put(site: Site, version: str, steps: list[dict[str, Any]]) -> Path:
    """Release what staging had under that version, with these steps; a clone of what git says then."""
    values = site.values(TRIAL, {"rollouts": {"steps": steps}})
    text = at_version(site, version)
    site.office.commit(f"chore({TRIAL}): release {version}", {f"{PLACE}/values.yaml": values, path_of(TRIAL): text})
    if not site.deployed(TRIAL).green:
        raise NotReady(f"{TRIAL}: {version} was not handed over: see the last deploy.log in {site.office.logs}")
    return site.office.clone("origin/main")


def said(folder: Path, site: Site, *words: str) -> tuple[int, str]:
    """A command of a person who has the cluster's own way in: exit code, and all that it says."""
    done = subprocess.run(  # noqa: S603 - our own
        [str(paths.ROOT / ".venv/bin/sluice"), *words],
        cwd=folder,
        env=site.office.people | {"KUBECONFIG": str(paths.KUBECONFIG)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def baked(rollout: dict[str, Any], runs: list[dict[str, Any]]) -> float:
    """Seconds between the last look of a step's gates and the begin of the wait for a person."""
    results = [one for run in runs for one in (run.get("status") or {}).get("metricResults") or [] if is_step(run)]
    looks = [seconds_of(one["finishedAt"]) for result in results for one in result.get("measurements") or []]
    [pause] = rollout["status"]["pauseConditions"]
    return seconds_of(pause["startTime"]) - max(looks)


def is_step(run: dict[str, Any]) -> bool:
    return bool(run["metadata"].get("labels", {}).get("rollout-type") == "Step")


def looked_at(runs: list[dict[str, Any]]) -> int:
    """How often a window was looked at that is waited for now."""
    waiting = [one["status"] for one in runs if (one.get("status") or {}).get("phase") == "Running"]
    return sum(
        int(one.get("inconclusive") or 0)
        for status in waiting
        for one in status.get("metricResults") or []
        if one["name"] == "window"
    )


def held(site: Site) -> Seen:
    """A release holds at 50 % for its bake time and for a person; approved, in an open window, it gets 100 %."""
    site.alone(TRIAL)
    put(site, "v0.1.0", WAITS)
    site.bell.wait(TRIAL, "v0.1.0", "promoted")
    cluster = site.cluster(TRIAL)
    with site.users(TRIAL) as records, site.timeline(TRIAL) as line:
        clone = put(site, "v0.2.0", WAITS)
        early, _ = said(clone, site, "approve", PLACE, "v0.2.0", "--yes")
        waited(lambda: cluster.state().waits, f"{TRIAL}: v0.2.0 waits for no person", 180)
        [engine] = [one for one in listed("rollouts.argoproj.io", TRIAL) if one["metadata"]["name"].endswith("-engine")]
        rest = baked(engine, listed("analysisruns.argoproj.io", TRIAL))
        looked, answers = said(clone, site, "samples", PLACE)
        before = max(one.weight for one in line.of("v0.2.0"))
        url = f"http://127.0.0.1:{PORTS[TRIAL]}"
        approved, why = said(clone, site, "approve", PLACE, "v0.2.0", "--yes", "--gateway", url)
        site.bell.wait(TRIAL, "v0.2.0", "promoted")
    [entry] = [one for one in audit.read(site.office.desk, TRIAL, "v0.2.0") if one.what == "approval"]
    lost = measures.noticed(measures.read(records)).failed
    return {
        "nobody approves too early": early == 5,
        f"baked {rest:.1f} s": rest >= BAKE,
        "holds at 50 %": before == 50,
        "both arms side by side, through the API server": looked == 0 and "of 20 answers differ" in answers,
        "approved": approved == 0 and "v0.2.0 goes on" in why,
        "who and what they saw is kept": entry.who == OWNER and "of 20 answers differ" in entry.evidence[0],
        "goes to 100 %": sorted({one.weight for one in line.of("v0.2.0")}) == [0, 50, 100],
        f"{lost} requests lost": lost == 0,
    }


def closed(site: Site) -> Seen:
    """Outside its window a release's weight does not grow, though its gates have passed; it is stopped by hand."""
    engine = engine_of(site, TRIAL)
    with site.users(TRIAL) as records, site.timeline(TRIAL) as line:
        clone = put(site, "v0.1.0", closing(datetime.now(UTC)))
        waited(
            lambda: looked_at(listed("analysisruns.argoproj.io", TRIAL)) >= LOOKS,
            f"{TRIAL}: no window is waited for",
            180,
        )
        weights = {one.weight for one in line.of("v0.1.0")}
        stopped, _ = said(clone, site, "abort", PLACE, "--reason", "the window is for tomorrow")
        ring = site.bell.wait(TRIAL, "v0.1.0", "aborted")
    lost = measures.noticed(measures.read(records)).failed
    return {
        "no user met it": weights == {0},
        "stopped by hand, and told": stopped == 0 and "tomorrow" in ring.inputs["reason"],
        "git says what runs": engine_of(site, TRIAL) == engine,
        f"{lost} requests lost": lost == 0,
    }


HOLDS: tuple[Callable[[Site], Seen], ...] = (held, closed)
