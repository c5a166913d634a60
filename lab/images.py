"""The images that only the lab needs: bases that a site would pull, the pod sandbox, the stand-ins.

Each is named by a hash over its recipe, so that it is made once, pushed once, and made anew when the recipe changes.
"""

import contextlib
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from docker.errors import NotFound  # type: ignore[import-untyped]

from lab import paths, process, registry
from lab.errors import NotReady, Refused
from release import build, context

Say = Callable[[str], None]
BASES = paths.ROOT / "lab" / "bases"
PAUSE = paths.ROOT / "lab" / "pause.c"
REQUIREMENTS = paths.ROOT / "lab" / "requirements" / "engine-cpu.txt"
DOCKERFILE = paths.ROOT / "Dockerfile"
PARTS = ("cuda", "torch", "vllm")
ENGINE_SETTINGS = (
    "ENV PATH=/opt/vllm/bin:/usr/local/bin:/usr/bin:/bin",
    "ENV HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 VLLM_CPU_KVCACHE_SPACE=1",
)
FREE_GIB = 14  # unpacked, compressed in the registry, and room for both while it is pushed


@dataclass(frozen=True)
class Bases:
    """What PYTHON_BASE and ENGINE_BASE are in the lab: `repository@sha256:…`."""

    python: str
    engine: str

    @property
    def arguments(self) -> dict[str, str]:
        return {"PYTHON_BASE": self.python, "ENGINE_BASE": self.engine}


@dataclass(frozen=True)
class Name:
    """An image of the lab: a repository in its registry and the hash of its recipe as the tag."""

    repository: str
    tag: str

    @property
    def path(self) -> str:
        return f"{paths.REGISTRY}/{self.repository}"

    def __str__(self) -> str:
        return f"{self.path}:{self.tag}"


def named(kind: str, *recipe: bytes) -> Name:
    return Name(f"sluice-lab/{kind}", hashlib.sha256(b"\0".join(recipe)).hexdigest()[:16])


def python_name() -> Name:
    return named("python", (BASES / "python.sh").read_bytes())


def engine_name() -> Name:
    recipe = (BASES / "engine.sh").read_bytes(), REQUIREMENTS.read_bytes(), " ".join(ENGINE_SETTINGS).encode()
    return named("engine", python_name().tag.encode(), uv_version().encode(), *recipe)


def uv_version() -> str:
    """The installer's version, as the Dockerfile pins it."""
    found = re.search(r"^ARG UV=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    if found is None:
        raise Refused(f"{DOCKERFILE}: no line `ARG UV=…`; put it back, the lab reads it there")
    return found.group(1)


def pause() -> str:
    """The pod sandbox's image, compiled and pushed when the registry lacks it; needs no daemon."""
    name = named("pause", PAUSE.read_bytes())
    if registry.digest_of(name.repository, name.tag) is None:
        if shutil.which("gcc") is None:
            raise Refused("gcc is missing: apt-get install gcc libc6-dev")
        with scratch() as folder:
            process.run("gcc", "-Wall", "-Werror", "-O2", "-static", "-s", PAUSE, "-o", folder / "pause")
            registry.push(name.repository, name.tag, "pause", (folder / "pause").read_bytes())
    return str(name)


def bases(client: Any, say: Say) -> Bases:
    """Both bases, from the daemon's store or the registry, else made here (minutes); pushed if they are not."""
    python = ensured(client, python_name(), make_python, say)
    return Bases(python, ensured(client, engine_name(), make_engine, say))


def ensured(client: Any, name: Name, make: Callable[[Any, Name, Say], None], say: Say) -> str:
    """`repository@sha256:…` of the image, which the daemon and the registry then both have."""
    pushed = pushed_at(client, name)
    if not has(client, name):
        if pushed:
            with timed(f"pulling {name}", say):
                client.images.pull(name.path, name.tag)
        else:
            with timed(f"making {name}", say):
                make(client, name, say)
    if not pushed:
        with timed(f"pushing {name}", say):
            pushed = build.pushed_digest(client.api.push(name.path, name.tag, stream=True, decode=True), name.path)
    return f"{name.path}@{pushed}"


def pushed_at(client: Any, name: Name) -> str | None:
    """The digest that the registry has, asked with the daemon's own credentials; None when it has no such image."""
    try:
        return str(client.api.inspect_distribution(str(name))["Descriptor"]["digest"])
    except NotFound:
        return None


def has(client: Any, name: Name) -> bool:
    return any(str(name) in image.tags for image in client.images.list(name.path))


@contextlib.contextmanager
def timed(what: str, say: Say) -> Iterator[None]:
    say(f"{what} …")
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.0f} s")


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder beside the cache: /tmp may be small, or in memory."""
    paths.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.CACHE, prefix="images-") as folder:
        yield Path(folder)


def make_python(client: Any, name: Name, say: Say) -> None:
    """Bootstrap a Debian with its python3 and import it."""
    if shutil.which("debootstrap", path="/usr/sbin:/usr/bin") is None:
        raise Refused("debootstrap is missing: apt-get install debootstrap")
    with scratch() as folder:
        root = folder / "root"
        process.run("sh", BASES / "python.sh", root, seconds=900)
        with subprocess.Popen(["tar", "-C", str(root), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE) as tar:  # noqa: S603, S607
            client.api.import_image_from_stream(tar.stdout, name.path, name.tag, changes=['CMD ["python3"]'])
        if tar.returncode:
            raise NotReady(f"packing {root} failed: tar ended with {tar.returncode}; is the disk full?")


def make_engine(client: Any, name: Name, say: Say) -> None:
    """Install vLLM in containers on the Python base, a layer per part."""
    free = shutil.disk_usage(paths.CACHE).free / 2**30
    if free < FREE_GIB:
        raise Refused(f"{free:.0f} GiB are free at {paths.CACHE}, the engine's base needs {FREE_GIB}: free some")
    with scratch() as folder:
        for part, text in parts(REQUIREMENTS.read_text()).items():
            (folder / f"{part}.txt").write_text(text)
        (folder / "uv.txt").write_text(f"uv=={uv_version()}\n")
        shutil.copy(BASES / "engine.sh", folder)
        if bundle := os.environ.get("SSL_CERT_FILE"):
            shutil.copy(bundle, folder / context.SITE_CA)
        image = str(python_name())
        for part in PARTS:
            changes = ENGINE_SETTINGS if part == PARTS[-1] else ()
            with timed(f"  {part} of {name.repository}", say):
                image = installed(client, image, part, folder, changes)
        client.api.tag(image, name.path, name.tag)


def installed(client: Any, image: str, part: str, folder: Path, changes: tuple[str, ...]) -> str:
    """The image with one part more on it; returns the new image's id."""
    mounts = {str(folder): {"bind": "/in", "mode": "ro"}}
    container = client.containers.create(image, ["sh", "/in/engine.sh", part], network_mode="host", volumes=mounts)
    try:
        container.start()
        if container.wait()["StatusCode"]:
            raise NotReady(f"installing {part} failed: {last_line(container.logs(tail=5))}")
        # the container's own command is the installer's
        return str(container.commit(changes=['CMD ["python3"]', *changes]).id)
    finally:
        container.remove(force=True)


def parts(requirements: str) -> dict[str, str]:
    """The pinned requirements, apart by the layer that they go to; none is lost."""
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    for block in re.split(r"\n(?=[a-z0-9])", requirements):
        if not block.startswith("#"):
            found[part_of(block)].append(block.strip())
    return {part: "\n".join(blocks) + "\n" for part, blocks in found.items()}


def part_of(block: str) -> str:
    if block.startswith(("nvidia-", "cuda-")):
        return "cuda"
    return "torch" if block.startswith("torch==") else "vllm"


def last_line(log: bytes) -> str:
    lines = log.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it wrote nothing"


def stand_ins(client: Any, gateway: str, say: Say) -> str:
    """The fake engine and the fault proxy on top of that gateway image, pushed; `repository@sha256:…`."""
    name = Name("sluice-lab/lab", gateway.rpartition(":")[2][:16])
    with context.archive(paths.ROOT, only="lab") as archive:
        return pushed(client, name, archive, say, dockerfile="lab/Dockerfile", buildargs={"GATEWAY": gateway})


def pushed(client: Any, name: Name, archive: IO[bytes], say: Say, **recipe: Any) -> str:
    """Build a context and push what it makes; `repository@sha256:…`."""
    events = client.api.build(fileobj=archive, custom_context=True, rm=True, decode=True, **recipe)
    client.api.tag(build.built_id(events, name.repository.rpartition("/")[2], say), name.path, name.tag, force=True)
    digest = build.pushed_digest(client.api.push(name.path, name.tag, stream=True, decode=True), name.path)
    return f"{name.path}@{digest}"


def derived(client: Any, base: str, name: str, lines: tuple[str, ...], say: Say) -> str:
    """That image with these lines of a Dockerfile more, pushed; `repository@sha256:…`."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        context.add(tar, {"Dockerfile": "\n".join((f"FROM {base}", *lines)).encode()})
    archive.seek(0)
    return pushed(client, Name(f"sluice-lab/{name}", base.rpartition(":")[2][:16]), archive, say)
