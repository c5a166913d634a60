"""`python -m lab.e2e DIR`: play every scenario of a folder on the lab and write build/e2e/report.json."""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab import aftermath, builder, cluster, paths, releases, scenario
from lab.errors import LabError, Refused
from lab.play import Outcome, Play
from lab.scenario import Scenario
from lab.stage import Images, Stage, merged
from release import checkout
from release.errors import ReleaseError

OUT = paths.ROOT / "build/e2e"
FIRST_PORT = 30100
PACE: dict[str, dict[str, Any]] = {  # what a tier changes in environments/lab/values.yaml
    "fake": {
        "prober": {"ratePerArm": 20, "answers": {"perSecond": 24, "cases": 96}},  # it answers the same on both arms
        "rollouts": {"interval": 2, "quietAfter": 20, "noData": 30},
    },
    "real": {},
}
Kind = tuple[str, scenario.Change]  # of a scenario: its tier, and what its release changes
Pair = tuple[Images, Images]


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - progress is this command's output


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.e2e", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="also the long scenarios")
    parser.add_argument("--keep", action="store_true", help="leave namespaces and the lab as they are at the end")
    asked = parser.parse_args()
    try:
        chosen = [one for one in scenario.load(asked.folder) if asked.all or not one.long]
        return run(chosen, asked.keep)
    except (LabError, ReleaseError) as error:
        print(f"e2e: {error}", file=sys.stderr)  # noqa: T201
        return error.code


def run(chosen: list[Scenario], keep: bool) -> int:
    report: dict[str, Any] = {**checkout.origin(), "scenarios": []}
    if paths.EXISTING:
        elsewhere(chosen)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    say(f"{len(chosen)} scenarios, records under {OUT}")
    pairs = built(chosen)
    for number, one in enumerate(chosen):
        say(f"[{number + 1}/{len(chosen)}] {one.name} ({one.tier}): {one.says}")
        row = played(one, pairs[one.name], FIRST_PORT + number, keep)
        report["scenarios"].append(row)
        say(line(row))
        write(report)
    if not keep and not paths.EXISTING:
        say("[lab-down] ends every process and takes back every mount, interface and rule")
        report["scenarios"].append(aftermath.row(lambda: cluster.down(say)))
        say(line(report["scenarios"][-1]))
    write(report)
    return summed(report["scenarios"])


OWN_ACTIONS, OWN_CHECKS = ("kill-controller", "stop-api"), ("ratings-kept",)


def elsewhere(chosen: list[Scenario]) -> None:
    """Raises Refused for the first scenario that breaks what is not ours to break, or asks for the lab's database."""
    for one in chosen:
        if own := sorted({*OWN_ACTIONS, *OWN_CHECKS} & {*one.checks, *(action.do for action in one.actions)}):
            raise Refused(
                f"{one.name}: {own[0]} is for the lab's own cluster: choose other scenarios with SCENARIOS=dir"
            )


def kind(one: Scenario) -> Kind:
    return one.tier, one.change


def built(chosen: list[Scenario]) -> dict[str, Pair]:
    """The two releases of each scenario: as it is checked out, and with what the scenario changes changed."""
    with builder.running() as client:
        yard = releases.Yard(client, builder.quiet(say))
        source = releases.clone(paths.ROOT / "build/source")
        first: dict[str, Images] = {tier: getattr(yard, tier)(source) for tier in sorted({one.tier for one in chosen})}
        engines: dict[Kind, Images] = {}
        for tier, change in sorted({kind(one) for one in chosen}):
            after = releases.changed(releases.clone(paths.ROOT / "build/source"), change)
            engines[tier, change] = getattr(yard, f"next_{tier}")(first[tier], after)
        return {one.name: (first[one.tier], changed(one, yard, first[one.tier], engines[kind(one)])) for one in chosen}


def changed(one: Scenario, yard: releases.Yard, old: Images, engine: Images) -> Images:
    """The second release of a scenario, out of the first and the first with another engine."""
    new = old if one.parts == "gateway" else engine
    return new if one.parts == "engine" else replace(new, gateway=yard.gateway(old, one.gateway))


def played(one: Scenario, pair: Pair, port: int, keep: bool) -> dict[str, Any]:
    """The scenario's row of the report; one that broke down is a failed one, with the reason."""
    stage = Stage(one.name, port, OUT / one.name, merged({"strategy": one.strategy, **PACE[one.tier]}, one.values))
    try:
        return Play(one, stage, *pair, say).run().row()
    except (LabError, ReleaseError, TimeoutError, subprocess.TimeoutExpired, OSError) as error:
        return Outcome(one, faults=[str(error)]).row()
    finally:
        if not keep:
            stage.remove()


def line(row: dict[str, Any]) -> str:
    took = f"detected in {row['detect_seconds']:.0f} s, " if row.get("detect_seconds") is not None else ""
    failed = f"{row['failed_stable']} failed on stable, " if row.get("failed_stable") is not None else ""
    text = f"  {'ok    ' if row['ok'] else 'FAILED'} {row['verdict']}, {took}{failed}{row['seconds']:.0f} s"
    return "\n".join([text, *(f"         {fault}" for fault in row["faults"])])


def write(report: dict[str, Any]) -> None:
    (OUT / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def summed(rows: list[dict[str, Any]]) -> int:
    failed = sum(not row["ok"] for row in rows)
    say(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
