"""What a rollback brings back on the real engine: image, model, prompts and flags, and so the very answers."""

import json
import statistics
import time
from typing import Any

import httpx2

from lab import releases
from lab.deliveries import WARM_SECONDS, Seen, engine_of, released, signed, taken_back
from lab.play import SERVED_NAME
from lab.programs import answers as answering
from lab.programs import kubectl, listed
from lab.site import PORTS, Site, part, waited
from lab.traffic import PROMPTS
from release.cluster import HASH
from release.environment import parsed
from release.write import path_of

BARE = "bare"  # the pod of a bare start
COLD = 1.2  # times the mean bare start of the engine, from the command to all traffic
UNKNOWN = (
    "Once upon a time",
    "Why is the sky blue?",
    "再讲一个故事。",
)  # what weights say that never learnt it is their own
ALONE = {  # the only environment: its engines may ask for what engines ask for, far more than gateways do
    "rollouts": {"scaleDownDelaySeconds": 90},  # a tag's run, then the run on main that it starts
    "engine": {"resources": {"requests": {"cpu": "700m"}}, "startupPeriodSeconds": 1},
}
PROMPT = "short: {{system: answer in {words} words}}\n"
FLAG = {"state": "ENABLED", "variants": {"short": {"prompt": "short"}, "plain": {}}}
OLD, NEW = "v0.1.0", "v0.2.0"


def answers(environment: str) -> list[str]:
    """What the engine says at temperature 0, to questions of the world that its model knows and to others."""
    gateway, found = f"http://127.0.0.1:{PORTS[environment]}", []
    waited(answering(f"{gateway}/readyz"), f"{environment}: the gateway at {gateway} is not ready")
    for prompt in (*PROMPTS, *UNKNOWN):
        asked = [{"role": "user", "content": prompt}]
        body = {"model": SERVED_NAME, "messages": asked, "temperature": 0, "max_tokens": 12, "seed": 1}
        reply = httpx2.post(f"{gateway}/v1/chat/completions", json=body, timeout=60)
        found.append(str(reply.raise_for_status().json()["choices"][0]["message"]["content"]))
    return found


def carried(site: Site, environment: str) -> dict[str, Any]:
    """The prompts and flags that git names, and the ConfigMaps that the gateway's pods have of them."""
    said = parsed(site.office.text(path_of(environment)), environment)["release"]
    pods = listed("pods", environment, "-l", part("gateway"))
    names = {
        volume["configMap"]["name"] for one in pods for volume in one["spec"]["volumes"] if volume.get("configMap")
    }
    hashes = {key: said.get(key, {}).get("sha256", "")[:10] for key in ("prompts", "flags")}
    return {"hashes": hashes, "mounted": all(any(one in name for name in names) for one in hashes.values())}


def serving(site: Site, environment: str) -> list[str]:
    """The images of the engine's pods that users are sent to."""
    chosen = f"{part('engine')},{HASH}={site.cluster(environment).state().stable}"
    return sorted({one["spec"]["containers"][0]["image"] for one in listed("pods", environment, "-l", chosen)})


def bare_start(site: Site, environment: str, image: str) -> float:
    """Seconds from making a pod of that engine by hand until it is ready, beside the version that serves its users.

    So starts the engine of a rollback too: on two cores another engine that answers makes it slower by a quarter.
    """
    waited(lambda: len(site.engines(environment)) == 1, "the pods of the version before do not go", 180)
    made = [one["spec"]["template"]["spec"] for one in listed("replicasets", environment, "-l", part("engine"))]
    spec = next(one for one in made if one["containers"][0]["image"] == image)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": BARE, "namespace": environment}, "spec": spec}
    with site.users(environment):
        began = time.monotonic()
        kubectl("create", "-f", "-", stdin=json.dumps(pod))
        waited(lambda: ready(environment), f"{environment}: the engine's pod made by hand is not ready", 180)
        took = time.monotonic() - began
        kubectl("delete", "pod", BARE, "-n", environment, "--grace-period=1")
    return round(took, 1)


def ready(environment: str) -> bool:
    [pod] = listed("pods", environment, f"--field-selector=metadata.name={BARE}")
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


def merged(site: Site, version: str, title: str, files: dict[str, str], seed: int) -> None:
    """A merge with its tag, signed images, and dev's release of it, promoted."""
    office, branch = site.office, f"change/{version}"
    clone = office.clone("origin/main")
    for path, text in files.items():
        (clone / path).write_text(text)
    made = releases.retrained(releases.Source(clone, ""), seed).commit
    releases.git(clone, "push", "--quiet", "origin", f"{made}:refs/heads/{branch}")
    tip = office.landed(title, branch, made)
    office.pushed("release", tip, "--job", "version", **site.variables)
    released(site, "dev", version, signed(site, version, tip, {}), seconds=400)


def restored(site: Site) -> Seen:
    """A rollback by tag brings back image, model, prompts and flags: warm at once, cold in the engine's own time."""
    path, values = "environments/dev", site.values("dev", ALONE)
    files = {f"{path}/values.yaml": values} | together("ten", "short")
    merged(site, OLD, "feat(model): the engine itself", files, 1)
    first, state, older = answers("dev"), carried(site, "dev"), engine_of(site, "dev")
    merged(site, NEW, "feat(model): other weights", together("three", "plain"), 2)
    second, other, newer = answers("dev"), carried(site, "dev"), engine_of(site, "dev")
    ran, _, warm, lost = taken_back(site, "dev", OLD)
    back, again, image = answers("dev"), carried(site, "dev"), serving(site, "dev")
    bare = [bare_start(site, "dev", newer)]
    also, _, cold, more = taken_back(site, "dev", NEW)
    bare.append(bare_start(site, "dev", newer))  # a machine's pace changes within minutes: before and after
    return {
        "the versions differ": first != second and state["hashes"] != other["hashes"] and older != newer,
        "images are as they were": image == [older] and serving(site, "dev") == [newer],
        "prompts and flags are in git and in the pods": all(state["hashes"].values()) and state["mounted"],
        "prompts and flags are as they were": again == state and carried(site, "dev") == other,
        "answers are as they were": back == first and answers("dev") == second,
        f"warm: all traffic {warm} s after the command": ran.green and warm <= WARM_SECONDS,
        f"cold: {cold} s, bare starts before and after {bare} s": also.green and cold <= COLD * statistics.mean(bare),
        f"{lost + more} requests lost": lost + more == 0,
    }


def together(words: str, variant: str) -> dict[str, str]:
    """A prompt and a flag that go with the release."""
    flags = {"flags": {"variant": FLAG | {"defaultVariant": variant}}}
    folder = "environments/dev"
    return {f"{folder}/prompts.yaml": PROMPT.format(words=words), f"{folder}/flags.json": json.dumps(flags)}


RESTORES = (restored,)
