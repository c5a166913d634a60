"""What happens to a team whose environments name a cluster: each scene returns what was seen, each as a yes or a no."""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx2

from lab import measures, paths, releases
from lab.bell import Ring
from lab.errors import NotReady
from lab.reverts import RUN
from lab.runner import Ran
from lab.scenes import REVERT_SECONDS, record
from lab.seal import described
from lab.site import Site, Started, ours, waited
from release import audit
from release.environment import checked, parsed
from release.write import path_of

Seen = dict[str, Any]
Delivery = Callable[[Site], Seen]
RELEASE = ".github/workflows/release.yml"
IMAGES = ("gateway", "engine")
WARM_SECONDS = 10  # from the command to all traffic on pods that still run
FAULTS = [{"when": {"source": "user"}, "share": 0.4, "do": "http_500"}]


def tags(site: Site, target: str) -> list[str]:
    url = f"http://{paths.REGISTRY}/v2/{site.office.name}/{target}/tags/list"
    return list(httpx2.get(url).json().get("tags") or [])


def engine_of(site: Site, environment: str) -> str:
    """The engine's image that git names."""
    text = site.office.text(path_of(environment))
    return checked(parsed(text, environment), environment).images.engine if text else ""


def images_of(text: str) -> tuple[str, str]:
    """Both images that a release.yaml names."""
    images = checked(parsed(text, "release.yaml"), "release.yaml").images
    return images.gateway, images.engine


def relaunched(site: Site, argument: str) -> dict[str, str]:
    """The change that starts the engine with one argument more."""
    return {"model/model.yaml": site.office.text("model/model.yaml").replace("args:\n", f"args:\n- {argument}\n", 1)}


def unloaded(workflow: str) -> dict[str, str]:
    """The release workflow without its load test, which says nothing about an engine that is a stand-in."""
    less = re.sub(r"      - run: make perf.*\n(        .*\n)+?(?=      - )", "", workflow)
    if less == workflow:
        raise NotReady(f"{RELEASE}: has no step `make perf`; correct lab/deliveries.py")
    return {RELEASE: less}


def installed(site: Site) -> Seen:
    """The first merge: tag, changelog, signed images, and staging and prod get their first release."""
    office = site.office
    files = {f"environments/{name}/values.yaml": site.values(name, {}) for name in ("staging", "prod")}
    files |= unloaded(office.text(RELEASE))
    tip = office.merge("feat: our model has a cluster", files)
    ran = office.pushed("release", tip, **site.variables)
    first = office.text(path_of("staging"))
    office.commit("chore(prod): release v0.1.0", {path_of("prod"): first})
    deployed = office.pushed("promote", "origin/main", "--job", "deploy", "--matrix", "environment:prod")
    rings = [site.bell.wait(name, "v0.1.0", "promoted") for name in ("staging", "prod")]
    page = office.forge.ask("ada", "GET", f"/repos/{office.path}/releases/tags/v0.1.0")
    return {
        "green": ran.green and deployed.green and all(one.ran is not None and one.ran.green for one in rings),
        "tag and changelog": office.desk.git("cat-file", "-t", "v0.1.0").strip() == "tag" and "cluster" in page["body"],
        "SBOM and provenance": all(described(one, site.signer, tip) for one in images_of(first)),
        "signed, then tagged": "v0.1.0" in tags(site, "engine") and "v0.1.0" in tags(site, "gateway"),
        "prod runs what git says": site.engines("prod") == [engine_of(site, "prod")],
        "status": office.pulls.marks(tip).get("sluice/staging") == "success",
        "no lock is left": not site.locked("staging") and not site.locked("prod"),
    }


def delivered(site: Site) -> Seen:
    """A merge: image, canary in staging, promoted; then pull request, approval, canary in prod, promoted."""
    office = site.office
    with site.users("staging") as records, site.timeline("staging") as staging:
        tip = office.merge("feat(model): start with another seed", relaunched(site, "--seed=7"))
        ran = office.pushed("release", tip, **site.variables)
        site.bell.wait("staging", "v0.2.0", "promoted")
        steps = sorted({one.weight for one in staging.of("v0.2.0")})
    asked = office.asked("promote", {"source": "staging", "target": "prod"})
    [pull] = [one for one in office.pulls.opened("main") if one.head == "promote/prod/v0.2.0"]
    untouched = engine_of(site, "prod") != engine_of(site, "staging")
    refused = office.merged(pull.number)
    office.pulls.mark(pull.sha, "ci", "success", "green")
    office.reviews.approve(pull.number, "as judged in staging")
    with site.users("prod") as others, site.timeline("prod") as prod:
        merged = office.merged(pull.number)
        deployed = office.pushed("promote", "origin/main", "--job", "deploy", "--matrix", "environment:prod")
        site.bell.wait("prod", "v0.2.0", "promoted")
        more = sorted({one.weight for one in prod.of("v0.2.0")})
    lost = sum(measures.noticed(measures.read(one)).failed for one in (records, others))
    [verdict] = [one for one in audit.read(office.desk, "staging", "v0.2.0") if one.what == "verdict"]
    report = [*verdict.evidence, f"Report: {verdict.link}"]
    return {
        "green": ran.green and asked.green and deployed.green,
        "steps were taken": steps == [0, 50, 100] == more,
        f"the report's {len(report)} lines in the pull request": all(line in pull.body for line in report),
        "with figures and a page": verdict.evidence != []
        and "no figures" not in verdict.evidence[0]
        and RUN in verdict.link,
        "prod waited for approval": untouched and refused != "" and merged == "",
        "prod is staging": office.text(path_of("prod")) == office.text(path_of("staging")),
        "cluster is git": engine_of(site, "prod") in site.engines("prod"),
        f"{lost} requests lost": lost == 0,
    }


def stopped(site: Site) -> Seen:
    """A merge that is bad only under traffic is stopped in staging and taken back in git; no job of ours runs then."""
    office, good, prod = site.office, engine_of(site, "staging"), site.office.text(path_of("prod"))
    with site.users("staging") as records, site.timeline("staging") as staging:
        bad = relaunched(site, f"'--faults={json.dumps(FAULTS)}'")
        ran = office.pushed("release", office.merge("perf(model): start faster", bad), **site.variables)
        alive, culprit = ours(site.folder), engine_of(site, "staging")
        ring = site.bell.wait("staging", "v0.2.1", "aborted")
        reverted = office.text(path_of("staging"))
        revert = office.desk.commits(office.desk.main, path_of("staging"))[0]
        written = datetime.fromisoformat(revert.when)
        took = round(written.timestamp() + 1 - ring.at, 1)  # git keeps whole seconds: the second may have been over
        weights = [one.weight for one in staging.of("v0.2.1")]
        again = office.pushed("promote", "origin/main", "--job", "deploy", "--matrix", "environment:staging")
        waited(lambda: culprit not in site.engines("staging"), "staging: the stopped pods do not go")
        site.settled("staging")  # its gateway goes back too
        after = site.cluster("staging").state()
    noticed = measures.noticed(measures.read(records))
    lines = audit.read(office.desk, "staging", "v0.2.1")
    return {
        "handed over, and nothing of ours runs": ran.green and alive == [],
        "stopped in staging": ring.ran is not None and ring.ran.green and max(weights) == 50,
        f"in git {took} s after the notification": took <= REVERT_SECONDS,
        "git says what runs": checked(parsed(reverted, "staging"), "staging").images.engine == good,
        "the reason is kept": any("bad-share" in f"{one.reason} {one.evidence}" for one in lines),
        "the revert says why": ring.inputs["reason"] != "" and ring.inputs["reason"] in revert.body,
        "and links the report": RUN in revert.body,
        "prod never saw it": office.text(path_of("prod")) == prod,
        "not brought back": again.green and culprit != good and after.version == "v0.2.0" and good in after.images,
        f"{noticed.failed} requests failed": noticed.failed_stable == 0,
    }


def gateway_alone(site: Site) -> Seen:
    """A release that changes the gateway alone: its Rollout's promotion is the verdict, kept as any other."""
    office, engine = site.office, engine_of(site, "staging")
    before = site.cluster("staging").state().revision
    text = office.text("app/__init__.py")
    tip = office.merge("fix(app): a clearer word", {"app/__init__.py": f"{text}# the way in\n"})
    tagged = office.pushed("release", tip, "--job", "version", **site.variables)
    office.desk.fetch()
    version = office.desk.git("tag", "--points-at", tip).strip()
    images = signed(site, version, tip, {"engine": engine})
    with site.users("staging") as records:
        ring = released(site, "staging", version, images, part="gateway")
    lines = [one for one in audit.read(office.desk, "staging", version) if one.what == "verdict"]
    kept = [one.verdict for one in lines]
    lost = measures.noticed(measures.read(records)).failed
    return {
        "tagged": tagged.green,
        "the verdict is kept": ring.ran is not None and ring.ran.green and kept == ["promoted"],
        "its evidence is the gateway's": any("gateway alone" in text for one in lines for text in one.evidence),
        "status": office.pulls.marks(tip).get("sluice/staging") == "success",
        "the engine told nothing": not any(one.about("staging", version, "promoted") for one in site.bell.rings),
        "the engine is as it was": site.cluster("staging").state().revision == before,
        f"{lost} requests lost": lost == 0,
    }


def signed(site: Site, version: str, tip: str, kept: Mapping[str, str]) -> dict[str, str]:
    """Images of that commit under that version, signed as the release workflow does; those that are `kept` are there.

    Raises:
        NotReady: they could not be signed.
    """
    source = releases.Source(site.office.clone(tip), tip)
    built = {one: site.yard.image(one, source, site.base.arguments) for one in IMAGES if one not in kept}
    images = built | dict(kept)
    told = ("--version", version, *images.values(), "--key", f"{site.signer}/cosign.key")
    code, said = site.office.sluice("sign", *told)
    if code:
        raise NotReady(f"the images of {version} were not signed: {said}")
    return images


def released(
    site: Site, environment: str, version: str, images: Mapping[str, str], part: str = "engine", seconds: float = 240
) -> Ring:
    """Write a release of these images into an environment, hand it over, and wait until Argo tells its promotion.

    Raises:
        NotReady: it was not written, not handed over, or not promoted in time.
    """
    if record(site.office, version, environment, images) or not site.deployed(environment).green:
        raise NotReady(f"{environment}: {version} was not handed over: see the last logs in {site.office.logs}")
    return site.bell.wait(environment, version, "promoted", seconds, part=part)


def rolled_back(site: Site) -> Seen:
    """A tag deploy/prod/v0.1.0 puts all traffic on that version within seconds, its pods still there."""
    ran, pushed, took, lost = taken_back(site, "prod", "v0.1.0")
    return {
        "green": ran.green,
        f"all traffic {took} s after the command, {pushed} s after the tag": took <= WARM_SECONDS,
        "git and cluster agree": engine_of(site, "prod") in site.engines("prod"),
        f"{lost} requests lost": lost == 0,
    }


def taken_back(site: Site, environment: str, version: str) -> tuple[Ran, float, float, int]:
    """A rollback by tag: its run, the seconds to all traffic since the tag and since the command, and requests lost."""
    with site.users(environment) as records, site.timeline(environment) as line, Started("rollback") as command:
        began = time.time()
        with site.bell.later():
            ran = site.office.tagged(environment, version)
            line.wait_weight(version, 100, 180)
        site.bell.wait(environment, version, "promoted", since=began)
        whole = min((one.at for one in line.of(version) if one.weight == 100), default=float("inf"))
    lost = measures.noticed(measures.read(records)).failed
    return ran, round(whole - began, 1), round(whole - command.at, 1), lost


DELIVERIES: tuple[Delivery, ...] = (installed, delivered, stopped, gateway_alone, rolled_back)
