"""The arms as the cluster says them: one Rollout's weights, and the ready pods of both its templates."""

import asyncio
import socket
from typing import Any

from app.arms import Arms, Board, parts_of
from app.kube import Access, Object, Watch
from app.settings import Settings

HASH = "rollouts-pod-template-hash"
VERSION = "sluice.dev/version"
REVISION = "rollout.argoproj.io/revision"


class ClusterArms:
    """Shows the board a new view whenever the Rollout or its pods change."""

    def __init__(self, settings: Settings, board: Board) -> None:
        self.settings, self.board = settings, board
        self.rollout: Object | None = None
        self.pods: dict[str, Object] = {}
        self.releases: dict[str, str] = {}  # by template: its ReplicaSet has its Rollout's annotations of then
        self.newest = ""  # the release that was shown last
        self.left: frozenset[str] = frozenset()  # pods of the canary's template that an earlier release left there
        self.started = False  # a pod of the canary's own has been ready

    async def run(self, access: Access) -> None:
        """Until cancelled."""
        namespace, name = self.settings.namespace, self.settings.rollout
        rollouts = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts"
        pods = f"/api/v1/namespaces/{namespace}/pods"
        sets = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
        async with asyncio.TaskGroup() as watches:
            only = {"fieldSelector": f"metadata.name={name}"}
            watches.create_task(Watch(access, rollouts, only, self.rollout_changed).run())
            watches.create_task(Watch(access, pods, {"labelSelector": HASH}, self.pods_changed).run())
            watches.create_task(Watch(access, sets, {"labelSelector": HASH}, self.sets_changed).run())

    def rollout_changed(self, found: dict[str, Object]) -> None:
        """Take a status only when it speaks of the newest spec; until then the one before holds."""
        rollout = found.get(self.settings.rollout)
        if rollout and (self.rollout is None or observed(rollout)):
            self.rollout = rollout
        self.show()

    def pods_changed(self, found: dict[str, Object]) -> None:
        self.pods = found
        self.show()

    def sets_changed(self, found: dict[str, Object]) -> None:
        metas = [one["metadata"] for one in found.values()]
        self.releases |= {meta["labels"][HASH]: release(meta, self.settings.version) for meta in metas}
        self.show()

    def show(self) -> None:
        """Show what is known, once the controller has said which template is which."""
        if self.rollout is None:
            return
        meta, status = self.rollout["metadata"], self.rollout.get("status") or {}
        if status.get("currentPodHash"):
            self.board.show(self.arms(meta, status))

    def arms(self, meta: Object, status: Object) -> Arms:
        stable, canary, weight = hashes(status)
        in_progress = bool(canary) and not status.get("abort")
        ready_now = self.engines(canary) if in_progress else ()
        newest = release(meta, self.settings.version)
        self.begun(newest, canary)
        if not canary:
            self.releases[stable] = newest
        runs = self.releases.get(stable, "")
        return Arms(
            rollout=self.settings.rollout_label,
            release=newest,
            version=parts_of(newest if in_progress else runs or newest)[0],
            in_progress=in_progress,
            weight=weight if in_progress else 0,
            stable=self.engines(stable),
            canary=ready_now,
            canary_started=not in_progress or bool(ready_now) or self.started or weight > 0,
            stable_release=runs if runs != newest else "",
            gateways=self.gateways(),
        )

    def begun(self, newest: str, canary: str) -> None:
        """See whether the canary has pods of its own: a version that ran a while ago may still have some.

        Argo ends those before it starts the canary, and their absence then is no failure of it.
        """
        pods = {name: pod for name, pod in self.pods.items() if template_of(pod) == canary}
        if newest != self.newest:
            self.left = frozenset(pods) if self.newest else frozenset()  # who starts now cannot tell, and takes all
            self.newest, self.started = newest, False
        self.started = self.started or any(ready(pod) for name, pod in pods.items() if name not in self.left)

    def engines(self, template: str) -> tuple[str, ...]:
        """Base URLs of the ready pods of a template, sorted."""
        port = self.settings.engine_port
        found = [pod for pod in self.pods.values() if template_of(pod) == template]
        return tuple(sorted(f"http://{pod['status']['podIP']}:{port}" for pod in found if ready(pod)))

    def gateways(self) -> int:
        """Pods that are like this one, and ready or this one: a pod's host name is its own."""
        own = self.pods.get(socket.gethostname())
        if own is None:
            return 1
        like = [pod for pod in self.pods.values() if part_of(pod) == part_of(own)]
        return sum(pod is own or ready(pod) for pod in like)


def template_of(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(HASH, ""))


def part_of(pod: Object) -> tuple[str, ...]:
    """What it has in common with the pods of its part, whatever their version."""
    labels = pod["metadata"].get("labels", {})
    return tuple(labels.get(f"app.kubernetes.io/{name}", "") for name in ("name", "instance", "component"))


def release(meta: Object, otherwise: str) -> str:
    """Version and revision, as its annotations say them."""
    notes = meta.get("annotations") or {}
    return f"{notes.get(VERSION, otherwise)}-r{notes.get(REVISION, '0')}"


def observed(rollout: Object) -> bool:
    seen = (rollout.get("status") or {}).get("observedGeneration")
    return str(seen) == str(rollout["metadata"].get("generation"))


def hashes(status: Object) -> tuple[str, str, float]:
    """Template hash of stable, of the canary ('' when there is none), and the canary's weight in percent."""
    current, stable = status["currentPodHash"], status.get("stableRS") or status["currentPodHash"]
    blue_green: Any = status.get("blueGreen") or {}
    if (active := blue_green.get("activeSelector")) == current != stable:
        return stable, current, 100.0  # switched, and still watched: an abort sends everybody back to stable
    if active:
        return active, (current if current != active else ""), 0.0
    if current == stable:
        return stable, "", 0.0
    weights: Any = (status.get("canary") or {}).get("weights") or {}
    canary: Any = weights.get("canary") or {}
    another = canary.get("podTemplateHash") not in (None, "", current)  # the weight of a canary before this one
    return stable, current, 0.0 if another else float(canary.get("weight") or 0)


def ready(pod: Object) -> bool:
    """Whether it takes requests: Ready, with an address, and not on its way out."""
    status = pod.get("status") or {}
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or []}
    leaving = pod["metadata"].get("deletionTimestamp")
    return bool(status.get("podIP")) and conditions.get("Ready") == "True" and not leaving
