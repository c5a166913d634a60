"""What goes wrong while a release is handed over, and how the same command continues; and the way back in blueGreen."""

import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

from lightkube import Client
from lightkube.resources.core_v1 import Secret

from lab import measures, process, programs
from lab.deliveries import WARM_SECONDS, Seen, engine_of, taken_back
from lab.errors import NotReady
from lab.programs import kubectl, listed
from lab.runner import Ran
from lab.site import Site, waited
from lab.stage import NAME
from release.lock import lock, ref_of
from release.write import path_of

AWAY = r"sluice: \S+: registry \S+ does not answer \([^;]*\); start it"  # which image, where it is, what to do
EDITED = f"PodDisruptionBudget/{NAME}-engine spec.maxUnavailable: git 1, cluster 2"


def revisions(site: Site, environment: str) -> dict[int, str]:
    """Helm's revisions of an environment, each with its status."""
    client: Client = site.cluster(environment).client
    found = client.list(Secret, namespace=environment, labels={"owner": "helm", "name": NAME})
    labels = [one.metadata.labels for one in found if one.metadata is not None and one.metadata.labels]
    return {int(one["version"]): one["status"] for one in labels}


def changed(site: Site, environment: str) -> None:
    """A commit that changes how an environment runs, and none of its pods of the engine."""
    path = f"environments/{environment}/values.yaml"
    text = site.office.text(path)
    rate = re.search(r"ratePerArm: (\d+)", text)
    if rate is None:
        raise NotReady(f"{path}: names no ratePerArm")
    other = text.replace(rate.group(0), f"ratePerArm: {int(rate.group(1)) + 1}")
    site.office.commit(f"chore({environment}): probe more often", {path: other})


def told(ran: Ran) -> list[str]:
    """What a command said under make, without make's own lines and the command line that it shows."""
    lines = [line for line in ran.log.splitlines() if line.strip()]
    return [line for line in lines if not re.match(r"make(\[\d+\])?: |sluice \w", line)]


def registry_away(site: Site) -> Seen:
    """With the registry away a deployment ends in one line and changes nothing; the same command continues later."""
    changed(site, "staging")
    before = revisions(site, "staging")
    process.stop("registry")
    try:
        refused = site.deployed("staging")
        same = revisions(site, "staging") == before
    finally:
        programs.registry().start()
        programs.registry().wait()
    again, said = site.deployed("staging"), "; ".join(told(refused))
    return {
        f"one line: {said}": not refused.green and re.fullmatch(AWAY, said) is not None,
        "nothing changed": same,
        "no lock is left": not site.locked("staging"),
        "continues": again.green and max(revisions(site, "staging")) == max(before) + 1,
    }


def killed(site: Site) -> Seen:
    """A deployment that is killed in the middle of Helm is taken up by the same command: no half release is left."""
    changed(site, "staging")
    before = revisions(site, "staging")
    clone = site.office.clone("origin/main")
    with (site.office.logs / "killed.log").open("w") as log:
        job = subprocess.Popen(
            ["make", "deploy"],  # noqa: S607
            cwd=clone,
            env=site.office.people | {"ENVIRONMENT": "staging"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            waited(lambda: "pending-upgrade" in revisions(site, "staging").values(), "Helm has begun nothing", 60, 0.01)
        finally:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
    left = revisions(site, "staging")
    locked = site.locked("staging")
    again = site.deployed("staging")
    after = revisions(site, "staging")
    drift, edited, mended = edited_by_hand(site)
    return {
        "killed in the middle": left[max(left)] == "pending-upgrade" and max(left) == max(before) + 1,
        "its lock was left": locked and not site.locked("staging"),
        "the same command continues": again.green and again.says("going on from there"),
        "helm has one deployed revision": [*after.values()].count("deployed") == 1 and after[max(after)] == "deployed",
        "cluster is git": drift.green and engine_of(site, "staging") in site.engines("staging"),
        "what a hand has changed is named": told(edited)[:1] == [EDITED] and not edited.green,
        "and put back by the same command": mended.green,
    }


def edited_by_hand(site: Site) -> tuple[Ran, Ran, Ran]:
    """What `drift` says of staging as it is, with a field changed in the cluster, and after a deployment."""
    before = site.office.make("drift", ENVIRONMENT="staging")
    patch = json.dumps({"spec": {"maxUnavailable": 2}})
    kubectl("patch", "poddisruptionbudget", f"{NAME}-engine", "-n", "staging", "--type=merge", "-p", patch)
    edited = site.office.make("drift", ENVIRONMENT="staging")
    site.deployed("staging")
    return before, edited, site.office.make("drift", ENVIRONMENT="staging")


def meeting(number: int) -> None:
    """Return when that many clones have asked for staging's lock; raises NotReady when they do not."""
    seen, asking = set[str](), re.compile(rf"git -C (\S+) push .*{ref_of('staging')}")

    def all_there() -> bool:
        seen.update(found[1] for line in process.commands() if (found := asking.search(line)))
        return len(seen) >= number

    waited(all_there, f"staging: {number} deployments do not ask for its lock", pause=0.02)


def two_deployments(site: Site) -> Seen:
    """Two deployments meet at the lock, git having moved on between them: only what git says now is handed over."""
    office, before, text = site.office, revisions(site, "staging"), site.office.text(path_of("staging"))
    old = office.version("staging")
    new = f"{old}-2"
    with ThreadPoolExecutor() as people:
        with lock(office.desk, "staging", "somebody else's"):
            first = people.submit(site.deployed, "staging")
            meeting(1)
            moved = text.replace(f"version: {old}\n", f"version: {new}\n")
            office.commit(f"chore(staging): release {new}", {path_of("staging"): moved})
            second = people.submit(site.deployed, "staging")
            meeting(2)
        late, now = first.result(), second.result()
    after, said = revisions(site, "staging"), "; ".join(told(late))
    return {
        f"one line: {said}": re.fullmatch(rf"sluice: staging: main says {new} by now; [^;]*", said) is not None,
        "it has handed nothing over": not late.green and not late.says("handed over"),
        "the other is handed over": now.green and now.says(f"handed over {new}"),
        "one revision of Helm": max(after) == max(before) + 1 and after[max(after)] == "deployed",
        "no lock is left": not site.locked("staging"),
        "cluster is git": site.cluster("staging").state().version == office.version("staging") == new,
    }


def switched_back(site: Site) -> Seen:
    """BlueGreen: the tag of the version before switches all traffic back at once, and no request is lost."""
    site.alone("dev")
    office = site.office
    values = site.values("dev", {"strategy": "blueGreen"})
    for version in ("v0.1.0", "v0.2.0"):
        text = at_version(site, version)
        office.commit(f"chore(dev): release {version}", {"environments/dev/values.yaml": values, path_of("dev"): text})
        done = site.deployed("dev")
        site.bell.wait("dev", version, "promoted")
    ran, pushed, took, lost = taken_back(site, "dev", "v0.1.0")
    return {
        "green": done.green and ran.green,
        f"switched {took} s after the command, {pushed} s after the tag": took <= WARM_SECONDS,
        "git and cluster agree": engine_of(site, "dev") in site.engines("dev"),
        f"{lost} requests lost": lost == 0,
    }


LATE = [{"when": {"step_at_least": 50}, "share": 0.4, "do": "http_500"}]  # for whoever asks, once it is switched to


def switched_and_stopped(site: Site) -> Seen:
    """BlueGreen: a version that turns bad with the users on it passes its probes, is switched to and back from."""
    office, good, rung = site.office, engine_of(site, "dev"), len(site.bell.rings)
    bad = site.values("dev", {"strategy": "blueGreen", "engine": {"args": [f"--faults={json.dumps(LATE)}"]}})
    files = {"environments/dev/values.yaml": bad, path_of("dev"): at_version(site, "v0.2.0")}
    with site.users("dev") as records, site.timeline("dev") as line:
        office.commit("chore(dev): release v0.2.0", files)
        handed = site.deployed("dev")
        ring = site.bell.wait("dev", "v0.2.0", "aborted")
        waited(lambda: active() == site.cluster("dev").state().stable, "dev: Argo does not switch back")
        weights = [one.weight for one in line.of("v0.2.0")]
    noticed = measures.noticed(measures.read(records))
    return {
        "handed over": handed.green,
        "every user was on it": max(weights) == 100,
        "stopped by a gate": ring.ran is not None and ring.ran.green and "-watch" in ring.inputs["reason"],
        "not told as promoted": not any(one.about("dev", "v0.2.0", "promoted") for one in site.bell.rings[rung:]),
        "git says what runs": engine_of(site, "dev") == good and "version: v0.1.0\n" in office.text(path_of("dev")),
        f"{noticed.failed} requests failed": noticed.failed_stable == 0,
    }


def active() -> str:
    """The template that Argo's active Service selects."""
    [service] = [one for one in listed("services", "dev") if one["metadata"]["name"] == f"{NAME}-engine-stable"]
    return str(service["spec"]["selector"].get("rollouts-pod-template-hash", ""))


def at_version(site: Site, version: str) -> str:
    """Staging's release.yaml as it was for a version."""
    desk = site.office.desk
    for commit in desk.commits(desk.main, path_of("staging")):
        text = desk.text(commit.sha, path_of("staging")) or ""
        if f"version: {version}\n" in text:
            return text
    raise NotReady(f"staging never had {version}")


MISHAPS = (registry_away, killed, two_deployments, switched_back, switched_and_stopped)
