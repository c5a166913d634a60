"""Where an office's releases run: the lab's cluster and registry, and environments that name them."""

import contextlib
import io
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from ruamel.yaml import YAML

from lab import addons, builder, cluster, images, paths, pki, releases
from lab.bell import PATH, Bell
from lab.e2e import PACE
from lab.errors import NotReady
from lab.follower import Follower
from lab.load import Load
from lab.office import Office
from lab.play import SERVED_NAME
from lab.process import commands
from lab.programs import answers, kubectl, listed
from lab.runner import Ran
from lab.seal import key
from lab.stage import LAB_VALUES, NAME, merged
from lab.timeline import Timeline
from lab.traffic import Traffic
from release.cluster import Cluster, connect
from release.lock import ref_of

T = TypeVar("T")
Say = Callable[[str], None]
Tier = Literal["fake", "real"]  # of the engine, as in tests/e2e
PORTS = {"staging": 30181, "prod": 30182, "dev": 30183, "trial": 30184, "first": 30185}
STEPS = [{"weight": 0, "minimum": 5}, {"weight": 50, "minimum": 5}]
RATE = {"fake": 20, "real": 2}  # user requests per second: two real engines share two cores with all the rest


class Site:
    """One cluster for all environments, each in the namespace of its name."""

    def __init__(self, office: Office, folder: Path, yard: releases.Yard, base: images.Bases, tier: Tier) -> None:
        self.office, self.folder, self.yard, self.base, self.tier = office, folder, yard, base, tier
        self.bell = Bell(secrets.token_urlsafe(16), admin(), self.verdict)
        self.signer = key(folder / "signer")

    def settings(self, bell: str) -> dict[str, str]:
        """What a runner of this site has in its environment."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{bell}/token",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.bell.secret,
            "DOCKER_HOST": os.environ["DOCKER_HOST"],
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "SLUICE_SIGNING_KEY": f"{self.signer}/cosign.key",
            "SLUICE_PROMETHEUS": paths.PROMETHEUS,
            **{name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ},
        }

    @property
    def variables(self) -> dict[str, str]:
        """The repository's variables, which a fork sets once."""
        return {"REGISTRY": f"{paths.REGISTRY}/{self.office.name}"} | {
            "ENGINE_BASE": self.base.engine,
            "PYTHON_BASE": self.base.python,
        }

    def verdict(self, inputs: Mapping[str, str]) -> Ran:
        said = " ".join(inputs[name] for name in ("environment", "version", "verdict", "reason") if inputs.get(name))
        self.yard.say(f"  notified: {said}")
        return self.office.asked("verdict", inputs)

    def values(self, environment: str, over: Mapping[str, Any]) -> str:
        """An environment's values.yaml: the lab's own, with how releases reach this one."""
        base = YAML(typ="safe", pure=True).load(LAB_VALUES.read_text())
        delivery: dict[str, Any] = {"cluster": pki.SERVER, "authority": (paths.PKI / "ca.crt").read_text()}
        delivery |= {"signedBy": {"key": f"{self.signer}/cosign.pub"}, "tellsForge": True}
        delivery["writes"] = "pullRequest" if environment == "prod" else "direct"
        mine = {
            "delivery": delivery,
            "engine": {"startupPeriodSeconds": 1 if self.tier == "fake" else 2},
            "gateway": {"nodePort": PORTS[environment]},
            "rollouts": {"steps": STEPS, "scaleDownDelaySeconds": 600, "fastWatchSeconds": 10},
            "notifications": {"slackChannel": f"llm-{environment}"},
        }
        text = io.StringIO()
        yaml = YAML()
        yaml.default_flow_style = False
        yaml.dump(merged(merged(merged(base, PACE[self.tier]), mine), dict(over)), text)
        return text.getvalue()

    def cluster(self, environment: str) -> Cluster:
        os.environ["KUBECONFIG"] = str(paths.KUBECONFIG)
        return connect(environment, NAME)

    @contextlib.contextmanager
    def users(self, environment: str) -> Iterator[Path]:
        """User requests to that environment's gateway, from when it takes them; gives the file of their records."""
        file = self.office.logs / f"users-{environment}-{next(self.office.clones)}.jsonl"
        url = f"http://127.0.0.1:{PORTS[environment]}"
        waited(answers(f"{url}/readyz"), f"{environment}: the gateway at {url} is not ready")
        load = Load(Traffic(url, RATE[self.tier], out=file, model=SERVED_NAME, max_tokens=8))
        load.start()
        try:
            yield file
        finally:
            load.stop()

    def timeline(self, environment: str) -> Timeline:
        return Timeline(self.cluster(environment))

    def engines(self, environment: str) -> list[str]:
        """The images of the engine's pods that are there now."""
        found = listed("pods", environment, "-l", part("engine"))
        return sorted({one["spec"]["containers"][0]["image"] for one in found})

    def serves(self, environment: str) -> bool:
        """Whether engine and gateway are promoted and all there."""
        cluster = self.cluster(environment)
        return cluster.state().verdict() == "promoted" and not cluster.unready()

    def settled(self, environment: str) -> None:
        """Wait until it serves; raises NotReady when it does not in time."""
        waited(lambda: self.serves(environment), f"{environment}: it does not settle")

    def alone(self, environment: str) -> None:
        """End all other environments: the scenes left look at none of them, and their probes take two cores' CPU."""
        for other in PORTS.keys() - {environment}:
            kubectl("delete", "namespace", other, "--ignore-not-found", "--wait=false")

    def deployed(self, environment: str) -> Ran:
        """`make deploy` of what the released branch says, by a person in a clone of their own."""
        return self.office.make("deploy", ENVIRONMENT=environment)

    def locked(self, environment: str) -> bool:
        return bool(self.office.desk.remote_tip(ref_of(environment)))


def part(name: str) -> str:
    """What selects the objects of the release's engine or gateway."""
    return f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component={name}"


def waited(ready: Callable[[], T], otherwise: str, seconds: float = 90, pause: float = 0.2) -> T:
    """What it gives, once that is something; raises NotReady with those words."""
    until = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > until:
            raise NotReady(f"{otherwise} after {seconds:.0f} s")
        time.sleep(pause)
    return found


def admin() -> str:
    """The lab's own token: it stands in for the forge's, which an API server of ours would have to be told to trust."""
    return (paths.PKI / "tokens.csv").read_text().split(",")[0]


@contextlib.contextmanager
def opened(office: Office, folder: Path, say: Say, tier: Tier) -> Iterator[Site]:
    """The lab with a builder, Argo's notifications leading to the office; its namespaces go at the end.

    The engine's base is vLLM itself in the tier `real`, else the stand-in, which starts in a second.
    """
    cluster.up(say)
    folder.mkdir(parents=True, exist_ok=True)
    with builder.running() as client:
        yard = releases.Yard(client, builder.quiet(say))
        site = Site(office, folder, yard, base(yard, office, tier), tier)
        with site.bell:
            office.env |= site.settings(site.bell.address)
            told(f"{site.bell.address}/api/v1/repos/{office.path}{PATH}", site.bell.secret)
            try:
                yield site
            finally:
                for environment in PORTS:
                    kubectl("delete", "namespace", environment, "--ignore-not-found", "--wait=false", check=False)


def base(yard: releases.Yard, office: Office, tier: Tier) -> images.Bases:
    if tier == "real":
        return images.bases(yard.client, yard.say)
    python = images.ensured(yard.client, images.python_name(), images.make_python, yard.say)
    source = releases.Source(office.desk.root, office.desk.sha("HEAD"))
    gateway = yard.image("gateway", source, {"PYTHON_BASE": python})
    return images.Bases(python, images.stand_ins(yard.client, gateway, yard.say))


def told(url: str, token: str) -> None:
    """Argo's notifications know the forge from now on."""
    patch = json.dumps({"stringData": {"forge-url": url, "forge-token": token}})
    kubectl("patch", "secret", "argo-rollouts-notification-secret", "-n", addons.ARGO_NAMESPACE, "-p", patch)


class Started(Follower):
    """When a command of `sluice` was first seen to run, in unix seconds: a workflow takes its time before that."""

    pause = 0.1

    def __init__(self, command: str) -> None:
        super().__init__()
        self.command, self.at = f"/sluice {command} ", float("-inf")

    def look(self) -> None:
        if any(self.command in line for line in commands()):
            self.at = time.time()
            self.done.set()


def ours(folder: Path) -> list[str]:
    """Commands of ours that run now, for an environment or in a clone of this folder."""
    return [line for line in commands() if "/sluice " in line or (str(folder) in line and "/act " in line)]
