"""The cluster: a release's Rollout and AnalysisRuns, read and, for an abort, patched."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from lightkube import ApiError, Client, ConfigError
from lightkube.generic_resource import GenericNamespacedResource, create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.types import PatchType

from release.errors import NotInstalled, Unreachable

Rollout = create_namespaced_resource("argoproj.io", "v1alpha1", "Rollout", "rollouts")
AnalysisRun = create_namespaced_resource("argoproj.io", "v1alpha1", "AnalysisRun", "analysisruns")
VERSION = "sluice.dev/version"
REASON = "sluice.dev/abort-reason"
ABORTED = "sluice.dev/aborted-release"  # Helm keeps annotations it does not know: a reason is for one release only
REVISION = "rollout.argoproj.io/revision"
INSTANCE = "app.kubernetes.io/instance"
HASH = "rollouts-pod-template-hash"


@dataclass(frozen=True)
class Run:
    """One AnalysisRun: which step it judges and what it found."""

    name: str
    kind: str  # Step or Background
    step: int | None
    phase: str
    message: str
    metrics: dict[str, str] = field(default_factory=dict)  # metric name -> phase

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Run":
        labels = found["metadata"].get("labels") or {}
        status = found.get("status") or {}
        index = labels.get("step-index")
        return cls(
            found["metadata"]["name"],
            labels.get("rollout-type", ""),
            int(index) if index is not None else None,
            status.get("phase", "Pending"),
            status.get("message", ""),
            {one["name"]: one.get("phase", "") for one in status.get("metricResults") or []},
        )


@dataclass(frozen=True)
class State:
    """What the Rollout says of itself, in our words."""

    rollout: str
    version: str
    revision: str
    images: tuple[str, ...]
    phase: str
    message: str
    abort: bool
    observed: bool  # the controller has seen this very spec
    current: str
    stable: str
    weight: int
    step: int
    steps: int
    updated: int  # pods of the current template
    reason: str
    replicas: int = 1  # asked for
    waits: bool = False  # for a person: a gate without a verdict waits otherwise
    served: bool = True  # some version has been healthy here; a first install is no canary, and Argo aborts none

    @classmethod
    def of(cls, found: dict[str, Any]) -> "State":
        meta, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
        notes = meta.get("annotations") or {}
        pods = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
        steps = ((spec.get("strategy") or {}).get("canary") or {}).get("steps") or []
        return cls(
            rollout=f"{meta['namespace']}/{meta['name']}",
            version=notes.get(VERSION, "unknown"),
            revision=notes.get(REVISION, "0"),
            images=tuple(pod["image"] for pod in pods if "image" in pod),
            phase=status.get("phase", ""),
            message=status.get("message", ""),
            abort=bool(status.get("abort")),
            observed=status.get("observedGeneration") == str(meta.get("generation")),
            current=status.get("currentPodHash", ""),
            stable=status.get("stableRS", ""),
            weight=weight_of(status),
            step=int(status.get("currentStepIndex") or 0),
            steps=len(steps),
            updated=int(status.get("updatedReplicas") or 0),
            reason=notes.get(REASON, "") if notes.get(ABORTED) == label(notes) else "",
            replicas=int(spec.get("replicas", 1)),
            waits=waits_for_a_person(steps, status),
            served=has_served(status.get("conditions") or []),
        )

    @property
    def release(self) -> str:
        """The metric label of this attempt, like `v1.2.0-r3`."""
        return label({VERSION: self.version, REVISION: self.revision})

    @property
    def in_progress(self) -> bool:
        """Between the hand-over and the verdict; a first install has no stable to be judged against."""
        return bool(self.stable) and not self.abort and (not self.observed or self.current != self.stable)

    @property
    def stillborn(self) -> bool:
        """A first install whose pods were not ready within the progress deadline: there is nothing to go back to."""
        return not self.served and self.current == self.stable and self.message.startswith("ProgressDeadlineExceeded")

    def verdict(self, image: str | None = None) -> str:
        """promoted, aborted or waiting; with `image`, promoted only if that image is what runs."""
        if not self.observed:
            return "waiting"
        if (self.abort and not self.weight) or self.stillborn:  # Argo notes an abort before it takes the traffic back
            return "aborted"
        settled = self.phase == "Healthy" and bool(self.stable) and self.stable == self.current
        return "promoted" if settled and (image is None or image in self.images) else "waiting"


def label(notes: dict[str, str]) -> str:
    return f"{notes.get(VERSION, 'unknown')}-r{notes.get(REVISION, '0')}"


def has_served(conditions: list[dict[str, Any]]) -> bool:
    """Argo adds the condition Healthy when a Rollout is that for the first time, and never takes it away."""
    return not conditions or any(one.get("type") == "Healthy" for one in conditions)


def waits_for_a_person(steps: list[dict[str, Any]], status: dict[str, Any]) -> bool:
    """At a pause that no clock ends, which only an approval asks for."""
    reasons = {one.get("reason") for one in status.get("pauseConditions") or []}
    if "BlueGreenPause" in reasons:
        return True
    index = int(status.get("currentStepIndex") or 0)
    return "CanaryPauseStep" in reasons and index < len(steps) and steps[index].get("pause") == {}


def weight_of(status: dict[str, Any]) -> int:
    """Percent of traffic on the newest template."""
    weights = (status.get("canary") or {}).get("weights") or {}
    current, stable = status.get("currentPodHash"), status.get("stableRS")
    if current and current == stable:
        return 100
    active = (status.get("blueGreen") or {}).get("activeSelector")
    if active is not None:
        return 100 if active == current and not status.get("abort") else 0
    return int((weights.get("canary") or {}).get("weight") or 0)


class Cluster:
    """One release's objects in one namespace."""

    def __init__(self, client: Client, namespace: str, name: str, part: str = "engine") -> None:
        self.client, self.namespace, self.instance, self.name = client, namespace, name, f"{name}-{part}"

    @property
    def gateway(self) -> "Cluster":
        """The same release's gateway, which has a Rollout of its own."""
        return Cluster(self.client, self.namespace, self.instance, "gateway")

    def state(self) -> State:
        """The Rollout now; raises NotInstalled or Unreachable."""
        with answers():
            try:
                return State.of(plain(self.client.get(Rollout, self.name, namespace=self.namespace)))
            except ApiError as error:
                if error.status.code != 404:
                    raise
        raise NotInstalled(f"{self.namespace}/{self.name}: no such Rollout; install it with `sluice deploy`")

    def find(self) -> State | None:
        """The Rollout now, or None before the first install."""
        try:
            return self.state()
        except NotInstalled:
            return None

    def unready(self) -> str:
        """What beside the engine is not all there: its gateway, else a Deployment; empty when everything is."""
        gateway = self.gateway.find()
        if gateway and gateway.verdict() != "promoted":
            return f"{self.gateway.name} has {gateway.updated} of {gateway.replicas} new pods"
        with answers():
            found = list(self.client.list(Deployment, namespace=self.namespace, labels={INSTANCE: self.instance}))
        return next((text for text in map(lacking, found) if text), "")

    def runs(self, template: str) -> list[Run]:
        """The AnalysisRuns of a pod template, oldest first; by label, for the Rollout's own pointer goes at once."""
        with answers():
            found = self.client.list(AnalysisRun, namespace=self.namespace, labels={HASH: template})
            documents = [plain(one) for one in found]
        return [Run.of(one) for one in sorted(documents, key=lambda one: str(one["metadata"].get("creationTimestamp")))]

    def go_on(self) -> None:
        """End the pause that waits for a person."""
        with answers():
            self.patch_status({"pauseConditions": None})

    def abort(self, release: str, reason: str) -> None:
        """Put all traffic back on stable; the reason is written first, so that whoever hears of the abort finds it."""
        note = {"metadata": {"annotations": {ABORTED: release, REASON: reason}}}
        with answers():
            self.client.patch(Rollout, self.name, note, namespace=self.namespace, patch_type=PatchType.MERGE)
            self.patch_status({"abort": True})

    def patch_status(self, status: dict[str, Any]) -> None:
        body = {"status": status}
        self.client.patch(Rollout.Status, self.name, body, namespace=self.namespace, patch_type=PatchType.MERGE)


def lacking(found: Deployment) -> str:
    """How many pods of the newest template a Deployment lacks, in words; empty when none."""
    meta, status = found.metadata, found.status
    name = meta.name if meta else "a Deployment"
    wanted = 1 if found.spec is None or found.spec.replicas is None else found.spec.replicas
    if meta is None or status is None or (status.observedGeneration or 0) < (meta.generation or 0):
        return f"{name} has not been looked at"
    ready = min(status.updatedReplicas or 0, status.availableReplicas or 0)
    return "" if ready >= wanted else f"{name} has {ready} of {wanted} pods ready"


def plain(found: GenericNamespacedResource) -> dict[str, Any]:
    return dict(found.to_dict())  # type: ignore[no-untyped-call]  # lightkube left this one out


def connect(namespace: str, name: str) -> Cluster:
    """The cluster that KUBECONFIG names; raises Unreachable when that file is missing or broken."""
    with answers():
        return Cluster(Client(timeout=httpx2.Timeout(10)), namespace, name)


@contextmanager
def answers() -> Iterator[None]:
    """Say in one line that the cluster did not answer, or what it answered."""
    try:
        yield
    except ConfigError as error:
        raise Unreachable(f"KUBECONFIG: {error}; point it at a cluster") from error
    except ApiError as error:
        raise Unreachable(f"cluster: {error.status.message or error}; check your rights") from error
    except (httpx2.HTTPError, OSError, ValueError) as error:
        reason = " ".join(str(error or type(error).__name__).split())
        raise Unreachable(f"cluster does not answer ({reason}); check KUBECONFIG and that the cluster runs") from error
