"""Hand a release over: check everything first, show what changes, then let Helm upgrade without waiting."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from release import drift, record, registry, remnant, signature
from release.abort import supersede
from release.cluster import Cluster, State
from release.difference import difference, short
from release.environment import ROOT, Environment
from release.errors import InProgress, Refused, WrongHash
from release.helm import Helm, Manifest, Pending, run
from release.history import History
from rollouts.gates import Gates, GatesError, load


@dataclass
class Deploy:
    environment: Environment
    cluster: Cluster
    helm: Helm
    gates: Path
    say: Callable[[str], None]
    fast: bool = False  # without steps, for what was promoted here before
    checked: list[Manifest] | None = None
    alone: bool = False  # the deploy lock is held: whatever Helm has begun here is no longer at work
    interrupted: bool = field(default=False, init=False)

    @property
    def values(self) -> list[dict[str, Any]]:
        fast = [{"rollouts": {"fast": True}}] if self.fast else []
        return [self.environment.values, self.environment.document, *fast]

    def manifests(self) -> list[Manifest]:
        """Make every check that changes nothing, once; returns the new manifests."""
        if self.checked is not None:
            return self.checked
        release = self.environment.release
        check_gates(self.gates, release.gates, self.environment.folder / "release.yaml")
        with ThreadPoolExecutor() as pool, httpx2.Client(timeout=10, follow_redirects=True) as client:
            signed = pool.submit(self.signatures)  # which takes as long as all else here: a rollback is in a hurry
            new = run(self.helm.rendered(*self.values))
            for image in (release.images.gateway, release.images.engine):
                registry.require(image, client)
            self.say(f"checked: gates, values, images, {signed.result()}, {record.check(History(ROOT), release)}")
        self.checked = run(self.helm.rendered(*self.values)) if self.starts_anew() else new
        return self.checked

    def starts_anew(self) -> bool:
        """Compare nothing with a version that never served: what follows it goes without steps, as it did.

        It also says in one line when the cluster is away; Helm's own words for that are long.
        """
        found = [at for at in (self.cluster.find(), self.cluster.gateway.find()) if at is not None]
        never = [at for at in found if not at.served and at.verdict() == "aborted"]
        if never and not self.fast:
            self.say(f"{never[0].version} never served here: this release goes without steps, as a first install does")
            self.fast = True
            return True
        return False

    def prepared(self) -> tuple[list[Manifest], list[Manifest] | None]:
        """The new manifests, checked, and the deployed ones."""
        return self.manifests(), self.deployed()

    def deployed(self) -> list[Manifest] | None:
        """What Helm last applied; nothing is known of it when Helm was killed meanwhile."""
        try:
            return run(self.helm.deployed())
        except Pending as left:
            if not self.alone:
                raise
            self.say(f"Helm was killed at revision {left.revision}; going on from there")
            remnant.settle(self.cluster, left.revision)
            self.interrupted = True
            return []

    def signatures(self) -> str:
        """Check that whom `delivery.signedBy` names has signed both images; say so when it names nobody."""
        trust = signature.Trust.of(self.environment.values.get("delivery") or {})
        if trust is None:
            return "not signatures (delivery.signedBy names nobody)"
        images = self.environment.release.images
        signature.require(trust, images.gateway, images.engine)
        return "signatures"

    def hand_over(self, replace: bool) -> bool:
        """Upgrade and return True, or False when this very release already runs; raises Refused before any change."""
        new, deployed = self.prepared()
        state, gateway, lines = self.cluster.find(), self.cluster.gateway.find(), difference(deployed or [], new)
        parts = {part: at for part, at in (("engine", state), ("gateway", gateway)) if at is not None}
        if deployed is not None and state is not None:
            for part, at in parts.items():
                self.refuse_again(at, self.interrupted or template(deployed, part) == template(new, part))
            image = self.environment.release.images.engine
            promoted = state.verdict(image) == "promoted" and (not gateway or gateway.verdict() == "promoted")
            if promoted and not lines and not self.edited(new):
                return False
        if judged := [at for at in parts.values() if at.in_progress and not self.continues(at)]:
            self.make_way(judged[0], replace)
        for line in short(lines):
            self.say(line)
        run(self.helm.upgrade(*self.values))
        return True

    def edited(self, wanted: list[Manifest]) -> bool:
        """Whether a hand has changed what this very release applied, where Helm can put it back; says where.

        Helm compares Kubernetes' own kinds with the cluster; custom ones only with what it applied last.
        """
        own = [one for one in wanted if built_in(one)]
        found = drift.drifted(own, drift.live(self.cluster.client, own, self.cluster.namespace))
        for line in found:
            self.say(f"changed by hand: {line}")
        return bool(found)

    def refuse_again(self, state: State, same: bool) -> None:
        """Raise Refused for a release that was stopped: Argo would not try the same pods again."""
        if state.abort and same and state.version == self.environment.release.version:
            why = state.reason or state.message
            raise Refused(f"{state.version} was stopped here ({why}); deploy another version, or correct and rename it")

    def continues(self, state: State) -> bool:
        """Whether what is being judged is this very release, whose Helm was killed after Argo had got it."""
        wanted = self.environment.release
        ours = {wanted.images.engine, wanted.images.gateway}
        return self.interrupted and state.version == wanted.version and not ours.isdisjoint(state.images)

    def make_way(self, state: State, replace: bool) -> None:
        if not replace:
            raise InProgress(
                f"{state.rollout}: {state.version} is being judged at {state.weight} %; "
                "wait (`sluice watch`), or abort it first with --supersede"
            )
        self.say(f"aborting {state.version} first")
        supersede(self.cluster, self.environment.release.version)


def built_in(manifest: Manifest) -> bool:
    group, slash, _ = str(manifest.get("apiVersion", "custom.dev/v1")).partition("/")
    return not slash or "." not in group or group.endswith(".k8s.io")


def template(manifests: list[Manifest], part: str = "engine") -> Any:
    """The pod template of a Rollout, which is what a canary is made of."""
    found = (one for one in manifests if one["kind"] == "Rollout" and one["metadata"]["name"].endswith(f"-{part}"))
    return next((one["spec"].get("template") for one in found), None)


def gates_at(path: Path) -> Gates:
    """The thresholds; raises Refused with the loader's one line."""
    try:
        return load(path)
    except GatesError as error:
        raise Refused(str(error)) from error


def check_gates(path: Path, wanted: str, source: Path) -> None:
    """Raise Refused unless the gates are valid, WrongHash unless this release says that it is judged by them."""
    gates_at(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wanted.removeprefix("sha256:"):
        raise WrongHash(
            f"{source}: release.gates is {wanted[:19]}…, but {path} is {found[:12]}…; write the latter there"
        )
