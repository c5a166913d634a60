"""One namespace of the lab with one workload in it: its environment folder, its releases, its traces."""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from ruamel.yaml import YAML

from app.baseline import WANTED
from lab import database, forward, paths, process
from lab.errors import NotReady
from lab.observers import prometheus_answer
from lab.programs import answers, kubectl
from lab.scenario import Fault
from release.cluster import Cluster, connect
from release.explain import explain, gathered
from release.helm import executable
from release.prometheus import Prometheus
from rollouts import gates

NAME = "llm"
LAB_VALUES = paths.ROOT / "environments/lab/values.yaml"
FAULT_PORT = 8001
GATEWAY_PORT = 8080  # of its Service


@dataclass(frozen=True)
class Images:
    """Digest references of what a release runs, and of the lab's own image."""

    gateway: str
    engine: str
    lab: str
    model: dict[str, str]  # id, revision, sha256


@dataclass
class Stage:
    namespace: str
    port: int  # the gateway's NodePort on 127.0.0.1
    folder: Path  # the run's records and the environment folder
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def rollout(self) -> str:
        """As the metrics name it."""
        return f"{self.namespace}/{NAME}-engine"

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    @property
    def grace(self) -> float:
        """Seconds from when a pod of the gateway is told to go until its process is told to end."""
        values = merged(YAML(typ="safe", pure=True).load(LAB_VALUES.read_text()), self.values)
        return float(values["gateway"]["preStopSeconds"])

    def cluster(self) -> Cluster:
        os.environ["KUBECONFIG"] = str(paths.KUBECONFIG)
        return connect(self.namespace, NAME)

    def write(self, version: str, images: Images, faults: list[Fault], build: str = "") -> None:
        """Write the environment folder of one release; the fault proxy stands before every release's engine.

        `build` tells one engine from another, the version unless it is given.
        """
        self.environment.mkdir(parents=True, exist_ok=True)
        base = YAML(typ="safe", pure=True).load(LAB_VALUES.read_text())
        values = merged(merged(base, self.overlay(images, faults)), self.values)
        # another environment is another pod template, also where two fake releases run the same image
        values["engine"]["env"] = [
            *values["engine"].get("env", []),
            {"name": "SLUICE_BUILD", "value": build or version},
        ]
        dump(self.environment / "values.yaml", values)
        release = {
            "version": version,
            "images": {"gateway": images.gateway, "engine": images.engine},
            "model": images.model,
            "gates": hashlib.sha256(gates.PATH.read_bytes()).hexdigest(),
        }
        dump(self.environment / "release.yaml", {"release": release})

    def overlay(self, images: Images, faults: list[Fault]) -> dict[str, Any]:
        plan = json.dumps([fault.document() for fault in faults])
        proxy = {
            "name": "fault",
            "image": images.lab,
            "command": ["python3", "-m", "lab.fault"],
            "env": [{"name": "SLUICE_FAULTS", "value": plan}, {"name": "SLUICE_FAULT_PORT", "value": str(FAULT_PORT)}],
            "readinessProbe": {"tcpSocket": {"port": FAULT_PORT}, "periodSeconds": 1},
        }
        return {
            "gateway": self.door(),
            "engine": {
                "trafficPort": FAULT_PORT,
                "sidecars": [proxy],
            },
            "rollouts": {"prometheus": paths.PROMETHEUS_INSIDE},
        }

    def door(self) -> dict[str, Any]:
        """Where this machine reaches the gateway, and the gateway its database: both only in the lab's own cluster."""
        if paths.EXISTING:
            return {"nodePort": None}
        stored = {"existingSecret": database.SECRET, "port": paths.POSTGRES_PORT}
        return {"nodePort": self.port, "database": stored}

    def sluice(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command of `sluice` on this stage, its output going to a log beside the records."""
        log = (self.folder / "sluice.log").open("a")
        return subprocess.Popen(  # noqa: S603 - our own command line
            [Path(sys.executable).parent / "sluice", *arguments, "--namespace", self.namespace, "--name", NAME],
            stdout=log,
            stderr=log,
            cwd=paths.ROOT,
            env={**os.environ, "KUBECONFIG": str(paths.KUBECONFIG), "SLUICE_PROMETHEUS": paths.PROMETHEUS},
        )

    def deploy(self, timeout: float) -> "subprocess.Popen[bytes]":
        return self.sluice("deploy", str(self.environment), "--timeout", str(int(timeout)))

    def explained(self) -> list[str]:
        """What `sluice explain` says of the newest release."""
        return explain(gathered(self.cluster(), figures(), gates.load()))

    def install(self, images: Images, faults: list[Fault], timeout: float = 180) -> None:
        """The first release, which Argo promotes unjudged.

        Raises:
            NotReady: it did not come up; names the log.
        """
        self.write("v1.0.0", images, faults)
        if not paths.EXISTING:
            database.give(self.namespace)
        code = self.deploy(timeout).wait(timeout + 30)
        if code:
            raise NotReady(f"{self.namespace}: v1.0.0 did not come up (exit {code}): see {self.folder}/sluice.log")
        self.wait_open()

    def wait_open(self, seconds: float = 60) -> None:
        """Return when the gateway takes requests.

        Raises:
            NotReady: it does not within the time.
        """
        if paths.EXISTING:  # a node of somebody else's cluster is not this machine
            forward.program(f"{NAME}-gateway", self.namespace, self.port, GATEWAY_PORT).start()
        ready, deadline = answers(f"{self.url}/readyz"), time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise NotReady(f"{self.namespace}: the gateway at {self.url} is not ready after {seconds:.0f} s")
            time.sleep(0.2)

    def wait_baseline(self, seconds: float = 240) -> None:
        """Return when every gateway has seen enough of stable's probes to say what is slow, as in a real service.

        Raises:
            NotReady: the probes do not arrive.
        """
        name = f'sluice_ttft_seconds_count{{namespace="{self.namespace}",arm="stable",source="probe"}}'
        deadline = time.monotonic() + seconds
        while len(prometheus_answer(f"{name} >= {WANTED}")) < len(prometheus_answer(name)) or not prometheus_answer(
            name
        ):
            if time.monotonic() > deadline:
                raise NotReady(f"{self.namespace}: stable's {WANTED} probes have not come within {seconds:.0f} s")
            time.sleep(1)

    def helm_test(self) -> str:
        """The last line of what `helm test` says against what is installed; empty when it passes."""
        line = [executable(), "test", NAME, "--namespace", self.namespace, "--timeout", "60s"]
        environment = {**os.environ, "KUBECONFIG": str(paths.KUBECONFIG)}
        done = subprocess.run(line, env=environment, capture_output=True, text=True)  # noqa: S603 - our own command line
        return "" if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2] or f"exit {done.returncode}"

    def remove(self) -> None:
        """Delete the namespace and wait until its pods are gone."""
        process.stop(forward.name(self.namespace, f"{NAME}-gateway"))
        kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=60s", check=False)


def figures() -> Prometheus:
    return Prometheus(paths.PROMETHEUS, httpx2.Client(timeout=10))


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Values laid over values, as Helm does it: mappings are merged, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def dump(file: Path, document: dict[str, Any]) -> None:
    yaml = YAML()
    yaml.default_flow_style = False
    with file.open("w", encoding="utf-8") as output:
        yaml.dump(document, output)
