"""The way back to what is not good: today's settings spoil a version that was, or it was never judged here at all."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from lab import measures
from lab.deliveries import Seen, engine_of
from lab.errors import NotReady
from lab.site import Site
from lab.timeline import Timeline
from release.write import path_of

FIRST = "v0.1.0"
WATCHED = 20  # seconds that the gates which may only fail look at a version on the fast way


def spoilt(source: str) -> Mapping[str, Any]:
    """Settings that make any version's engine fail what a source asks."""
    faults = [{"when": {"source": source}, "share": 0.4, "do": "http_500"}]
    return {"engine": {"args": [f"--faults={json.dumps(faults)}"]}, "rollouts": {"fastWatchSeconds": WATCHED}}


def changed(site: Site, environment: str, over: Mapping[str, Any]) -> None:
    """A commit of an environment's settings."""
    files = {f"environments/{environment}/values.yaml": site.values(environment, over)}
    site.office.commit(f"chore({environment}): other settings", files)


def stopped_at(line: Timeline, version: str) -> tuple[float, float]:
    """When a version first had all traffic, and when none of it any more, in unix seconds; never is infinite."""
    line.wait(lambda: any(one.abort and one.weight == 0 for one in line.of(version)), 60)
    moments, never = line.of(version), float("inf")
    whole = min((one.at for one in moments if one.weight == 100), default=never)
    return whole, min((one.at for one in moments if one.abort and one.weight == 0), default=never)


def spoilt_by_settings(site: Site) -> Seen:
    """The fast way to a version that today's settings spoil: all traffic at once, and back before its watch is over.

    Probes must meet the fault too: where all users are on the new version, only probes still ask the old one.
    """
    office, good, engine = site.office, site.office.text(path_of("staging")), engine_of(site, "staging")
    changed(site, "staging", spoilt("any"))
    began = time.time()
    with site.users("staging") as records, site.timeline("staging") as line:
        with site.bell.later():
            ran = site.office.tagged("staging", FIRST)
            whole, back = stopped_at(line, FIRST)
        ring = site.bell.wait("staging", FIRST, "aborted", since=began)
        weights = {one.weight for one in line.of(FIRST)}
    rings = [one for one in site.bell.rings if one.at >= began and one.about("staging", FIRST, "promoted")]
    reverted, took = office.text(path_of("staging")), round(back - whole, 1)
    changed(site, "staging", {})
    mended = site.deployed("staging")
    site.settled("staging")
    noticed = measures.noticed(measures.read(records))
    return {
        "handed over without steps": ran.green and ran.says("without steps") and weights <= {0, 100},
        "stopped by a gate": "-watch" in ring.inputs["reason"],
        f"{took} s after it had all traffic": took <= WATCHED,
        "never told as promoted": rings == [],
        "git says what runs": ring.ran is not None and ring.ran.green and reverted == good,
        "and it runs": mended.green and engine in site.engines("staging"),
        f"{noticed.failed} requests failed, none on stable": noticed.failed_stable == 0,
    }


def new_here(site: Site) -> Seen:
    """The way back to a version that prod never had is a whole canary; stopped, prod's revert is a pull request."""
    office, version, good = site.office, site.office.version("staging"), site.office.text(path_of("prod"))
    if f"version: {version}\n" in good:
        raise NotReady(f"prod has {version} as staging has; play gateway_alone before this")
    changed(site, "prod", spoilt("user"))
    with site.users("prod") as records, site.timeline("prod") as line:
        ran = site.office.tagged("prod", version)
        ring = site.bell.wait("prod", version, "aborted")
        weights = sorted({one.weight for one in line.of(version)})
    found = [one for one in office.pulls.opened("main") if one.head == f"revert/prod/{version}"]
    drift = office.make("drift", ENVIRONMENT="prod")
    changed(site, "prod", {})  # so its pods would be others, which Argo would try
    again, now = site.deployed("prod"), site.cluster("prod").state()
    before, why = f"version: {version}\n" in office.text(path_of("prod")), ""
    for pull in found:
        office.pulls.mark(pull.sha, "ci", "success", "green")
        office.reviews.approve(pull.number, "as the gate says")
        why = office.merged(pull.number)
    noticed = measures.noticed(measures.read(records))
    return {
        "handed over": ran.green and ran.says(f"handed over {version}"),
        "with its steps": not ran.says("without steps"),
        f"it got {weights} %": weights == [0, 50],
        "stopped by a gate": ring.ran is not None and ring.ran.green and "Metric" in ring.inputs["reason"],
        "drift names it": not drift.green and drift.says(f"git says {version}, which was stopped"),
        "not tried again while that waits": not again.green and again.says(f"is taken back by revert/prod/{version}"),
        "and left as it is": now.abort and now.version == version,
        "one pull request takes it back": len(found) == 1 and before and why == "",
        "git says what runs": office.text(path_of("prod")) == good,
        f"{noticed.failed} requests failed, none on stable": noticed.failed_stable == 0,
    }


RETURNS: tuple[Callable[[Site], Seen], ...] = (spoilt_by_settings, new_here)
