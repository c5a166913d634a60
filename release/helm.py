"""Helm, as far as a release needs it: render, what is deployed, upgrade without waiting."""

import asyncio
import logging
import os
import shutil
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pyhelm3  # type: ignore[import-untyped]  # ships no annotations
from semver import Version

from release.errors import InProgress, Refused, Unreachable, UpgradeFailed

Manifest = dict[str, Any]
T = TypeVar("T")

PENDING = {
    pyhelm3.ReleaseRevisionStatus.PENDING_INSTALL,
    pyhelm3.ReleaseRevisionStatus.PENDING_UPGRADE,
    pyhelm3.ReleaseRevisionStatus.PENDING_ROLLBACK,
}


class Pending(InProgress):
    """A revision that Helm works on, or was killed at: from its records alone nobody can tell."""

    def __init__(self, name: str, revision: int) -> None:
        super().__init__(
            f"{name}: Helm is at work on revision {revision}, or was killed there; once nobody deploys, "
            "`sluice deploy --locked` takes it up"
        )
        self.revision = revision


def executable() -> str:
    """`helm` from PATH, else the one that the lab has built."""
    cached = Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice")) / "bin" / "helm"
    found = shutil.which("helm") or (str(cached) if cached.is_file() else None)
    if found is None:
        raise Refused(f"helm: not on PATH nor at {cached}; install Helm 3 or run `make lab` once")
    return found


class Command(pyhelm3.Command):  # type: ignore[misc]  # same reason
    def __init__(self, hurried: bool, executable: str) -> None:
        super().__init__(executable=executable)
        self.hurried = hurried

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:
        """Run Helm; without a second look at every field where it has to be quick: that is half of an upgrade's time.

        pyhelm3's own `disable_validation` gives Helm the option letter by letter.
        """
        more = ["--disable-openapi-validation"] if self.hurried and command[0] == "upgrade" else []
        return bytes(await super().run([*command, *more], input))

    def client_version(self) -> Version:
        """Helm's version; one that was built from its Go module says v3.22, which pyhelm3 alone refuses."""
        asked = subprocess.run(  # noqa: S603  # a program that executable() has found
            [self._executable, "version", "--template", "{{ .Version }}"], capture_output=True, check=True, text=True
        )
        return Version.parse(asked.stdout.strip().removeprefix("v"), optional_minor_and_patch=True)


class Helm:
    """One release of a chart; `hurried` leaves the fields of what was here before to the API server alone."""

    def __init__(self, chart: Path, name: str, namespace: str, hurried: bool = False) -> None:
        found = executable()
        if not chart.is_dir():
            raise Refused(f"{chart}: no such chart; name its folder with --chart")
        logging.getLogger("pyhelm3").setLevel(logging.ERROR)  # it warns of what is raised anyway
        self.client = pyhelm3.Client(Command(hurried, found), executable=found)
        self.chart, self.name, self.namespace = chart, name, namespace
        self.known: Any = None  # what Helm says of the chart, asked once

    async def described(self) -> Any:
        self.known = self.known or await self.client.get_chart(self.chart)
        return self.known

    async def rendered(self, *values: dict[str, Any]) -> list[Manifest]:
        """Every manifest of the chart with these values, hooks left out; raises Refused when chart or schema say no."""
        try:
            chart = await self.described()
            found = await self.client.template_resources(
                chart, self.name, *values, namespace=self.namespace, no_hooks=True
            )
        except pyhelm3.errors.Error as error:
            raise Refused(f"{self.chart}: {one_line(error)}; correct values.yaml") from error
        return [manifest for manifest in found if manifest]

    async def deployed(self) -> list[Manifest] | None:
        """The manifests that Helm last applied, or None before the first install; raises Pending."""
        try:
            revision = await self.client.get_current_revision(self.name, namespace=self.namespace)
            if revision.status in PENDING:
                raise Pending(self.name, int(revision.revision))
            if revision.status == pyhelm3.ReleaseRevisionStatus.FAILED:
                return []  # what is in the cluster is neither the old nor the new: apply everything again
            return [manifest for manifest in await revision.resources() if manifest]
        except pyhelm3.errors.ReleaseNotFoundError:
            return None
        except pyhelm3.errors.Error as error:
            raise Unreachable(f"helm: {one_line(error)}; check KUBECONFIG") from error

    async def upgrade(self, *values: dict[str, Any]) -> int:
        """Hand the manifests over, return Helm's revision; never --wait: a Rollout's health is not Helm's to judge."""
        try:
            chart = await self.described()
            done = await self.client.install_or_upgrade_release(
                self.name, chart, *values, namespace=self.namespace, create_namespace=True
            )
        except pyhelm3.errors.Error as error:
            raise UpgradeFailed(f"helm upgrade: {one_line(error)}; see `helm history {self.name}`") from error
        return int(done.revision)


def run(asked: Coroutine[Any, Any, T]) -> T:
    """Wait for one of the answers above."""

    async def settled() -> T:
        try:
            return await asked
        finally:
            await asyncio.sleep(0.01)  # the child's pipes close one turn later, else Python complains on stderr

    return asyncio.run(settled())


def one_line(error: Exception) -> str:
    """What Helm wrote to stderr, from its error on (warnings come first), in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return (text.partition("Error: ")[2] or text)[:300]
