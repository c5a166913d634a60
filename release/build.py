"""One image: built by a docker daemon, pushed, and from then on named by its digest."""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]

from release import buildkit, context
from release.errors import BuildFailed, Refused

Say = Callable[[str], None]
Event = Mapping[str, Any]

MB = 1_000_000
LIMIT_MB = {"engine": 50}  # a release's layer on top of vLLM; big weights come from a cache volume
BUILD_SECONDS = 3600


@dataclass(frozen=True)
class Order:
    """One image to make: `bases` are build arguments (PYTHON_BASE, ENGINE_BASE), empty for the Dockerfile's own."""

    target: str
    registry: str
    version: str
    commit: str
    root: Path
    bases: Mapping[str, str] = field(default_factory=dict)
    site_ca: Path | None = None
    tags: tuple[str, ...] = ()

    @property
    def repository(self) -> str:
        return f"{self.registry}/{self.target}"

    @property
    def base_argument(self) -> str:
        return "ENGINE_BASE" if self.target == "engine" else "PYTHON_BASE"


@dataclass(frozen=True)
class Image:
    """A pushed image: `reference` is `repository@sha256:…`; sizes are unpacked, in millions of bytes."""

    target: str
    reference: str
    size_mb: float
    added_mb: float
    build_seconds: float
    push_seconds: float


def connect() -> Any:
    """The daemon that DOCKER_HOST names.

    Raises:
        Refused: none answers.
    """
    try:
        client = docker.from_env(timeout=BUILD_SECONDS)
        client.ping()
    except (DockerException, OSError) as error:
        at = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        raise Refused(f"no docker daemon answers at {at}: start one, or point DOCKER_HOST at it") from error
    return client


def make(client: Any, order: Order, say: Say) -> Image:
    """Build and push one image.

    Raises:
        BuildFailed: a step of the build, or the push, failed.
        Refused: the image adds more to its base than a release may.
    """
    began = time.monotonic()
    identity = build(client, order, say)
    built = time.monotonic()
    size, base = size_of(client, identity), size_of(client, base_of(order))
    added = (size - base) / MB
    limit = LIMIT_MB.get(order.target)
    say(f"{order.target}: {added:.1f} MB on top of {base_of(order)}")
    if limit is not None and added > limit:
        raise Refused(
            f"{order.target} adds {added:.0f} MB to its base, at most {limit} may cross the registry per release"
        )
    reference = push(client, order, identity, say)
    pushed = time.monotonic()
    return Image(
        order.target, reference, round(size / MB, 1), round(added, 1), round(built - began, 1), round(pushed - built, 1)
    )


def build(client: Any, order: Order, say: Say) -> str:
    """Build one target, with BuildKit where DOCKER_BUILDKIT asks for it; returns the image's id."""
    arguments = {"VERSION": order.version, "COMMIT": order.commit, **order.bases}
    with context.archive(order.root, order.site_ca) as archive:
        if buildkit.wanted():
            given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
            return buildkit.build(archive, given, order.target, say)
        events = client.api.build(
            fileobj=archive,
            custom_context=True,
            target=order.target,
            buildargs=arguments,
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
        )
        return built_id(events, order.target, say)


def built_id(events: Iterable[Event], target: str, say: Say) -> str:
    """Follow a build's events to the id of what it made; each step is said, its output only when it fails."""
    identity, output = "", [""]
    for event in events:
        text = str(event.get("stream", "")).strip()
        if text.startswith("Step "):
            say(f"{target}: {' '.join(text.split())[:100]}")
        elif text:
            output.append(text.splitlines()[-1])
        if "error" in event:
            raise BuildFailed(f"building {target} failed: {event['error'].strip()} (last output: {output[-1][:200]})")
        identity = event.get("aux", {}).get("ID", identity)
    if not identity:
        raise BuildFailed(f"building {target} ended without an image; see the daemon's log")
    return identity


def push(client: Any, order: Order, identity: str, say: Say) -> str:
    """Push under every tag; returns `repository@sha256:…`, which is the same under all of them."""
    digest = ""
    for tag in order.tags or (order.version,):
        client.api.tag(identity, order.repository, tag, force=True)
        say(f"{order.target}: pushing {order.repository}:{tag}")
        digest = pushed_digest(client.api.push(order.repository, tag, stream=True, decode=True), order.repository)
    return f"{order.repository}@{digest}"


def pushed_digest(events: Iterable[Event], repository: str) -> str:
    digest = ""
    for event in events:
        if "error" in event:
            raise BuildFailed(f"pushing {repository} failed: {event['error'].strip()}")
        digest = event.get("aux", {}).get("Digest", digest)
    if not digest:
        raise BuildFailed(f"pushing {repository} ended without a digest; see the registry's log")
    return digest


def base_of(order: Order) -> str:
    """The image that the target stands on: the given one, else the Dockerfile's own."""
    if given := order.bases.get(order.base_argument):
        return given
    own = re.search(rf"^ARG {order.base_argument}=(\S+)$", (order.root / context.DOCKERFILE).read_text(), re.MULTILINE)
    if own is None:
        raise Refused(
            f"{order.root / context.DOCKERFILE}: no line `ARG {order.base_argument}=…`; give the base as an option"
        )
    return own.group(1)


def size_of(client: Any, name: str) -> int:
    try:
        return int(client.api.inspect_image(name)["Size"])
    except ImageNotFound:
        raise BuildFailed(f"{name}: the daemon has no such image after the build") from None
