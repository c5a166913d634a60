"""Programs of the lab: found on PATH or in the cache at the pinned version, else built from pinned Go modules."""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import modules, paths
from lab.errors import NotReady, Refused

Say = Callable[[str], None]
BUILD_DISK_GIB = 12  # Go's module and build caches at their peak
KUBERNETES = "k8s.io/kubernetes"
HELM = "helm.sh/helm/v3"
TOFU = "github.com/opentofu/opentofu"
ARGO = "github.com/argoproj/argo-rollouts"
ARGO_CD = "github.com/argoproj/argo-cd/v3"  # only the kinds of pull mode's manifest, which the linters judge
TRAEFIK = "github.com/traefik/traefik/v3"
TRAEFIK_CRDS = "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"
# Not the cluster's: built when a target asks for them by name.
BY_NAME = {"act", "actionlint", "cosign", "gitea", "kubeconform", "otelcol", "tflint", "tofu"}
DEFINITIONS = "definitions"  # asked for by name too: resource definitions, which are no program
TAGS = {"prometheus": "remove_all_sd,enable_kubernetes_sd", "gitea": "sqlite,sqlite_unlock_notify"}
WITH_C = {"gitea"}  # its SQLite is a C library


@dataclass(frozen=True)
class Tool:
    """One program: the folder of the Go module that pins it, and its package."""

    folder: str
    package: str

    @property
    def name(self) -> str:
        return self.package.rsplit("/", 1)[-1]

    @property
    def pins(self) -> str:
        """A hash over the module's files: a changed pin builds anew."""
        own = sorted((modules.PINS / self.folder).glob("*.go"))
        files = (*(modules.PINS / self.folder / name for name in ("go.mod", "go.sum")), *own)
        texts = b"".join(file.read_bytes() for file in files)
        return hashlib.sha256(texts).hexdigest()[:16]

    @property
    def stamp(self) -> Path:
        return paths.BIN / f".{self.name}-{self.pins}"

    @property
    def built(self) -> bool:
        return self.stamp.exists() and (paths.BIN / self.name).exists()


def pinned() -> list[Tool]:
    """Every tool that a go.mod under lab/tools names, the slowest first."""
    tools = []
    for file in sorted(modules.PINS.glob("*/go.mod")):
        lines = [line.split() for line in file.read_text().splitlines()]
        packages = [line[-1] for line in lines if is_tool(line)]
        tools += [Tool(file.parent.name, package) for package in packages]
    return sorted(tools, key=lambda tool: (tool.folder != "kubernetes", tool.package))


def is_tool(words: list[str]) -> bool:
    """Whether a line of go.mod is a `tool` line, alone or within its block."""
    return (len(words) == 2 and words[0] == "tool" and words[1] != "(") or (len(words) == 1 and "/" in words[0])


def ensure(say: Say, names: list[str] | None = None) -> None:
    """Build what is missing (of `names`, or all, with the custom resource definitions).

    Raises:
        Refused: no Go, or too little disk; nothing was built.
        NotReady: a build failed; names its log.
    """
    wanted = [tool for tool in pinned() if (tool.name in names if names else tool.folder not in BY_NAME)]
    missing = [tool for tool in wanted if not tool.built]
    if missing:
        ready_to_build()
        build(missing, say)
    if not names or DEFINITIONS in names:
        definitions()
    say(f"tools: {', '.join(tool.name for tool in wanted)} ready in {paths.BIN}")


def ready_to_build() -> None:
    paths.BIN.mkdir(parents=True, exist_ok=True)
    if not modules.GO.exists():
        raise Refused(f"no Go at {modules.GO}: `lab/install lab` puts one there")
    free = shutil.disk_usage(paths.CACHE).free / 2**30
    if free < BUILD_DISK_GIB:
        raise Refused(f"{paths.CACHE} has {free:.1f} GiB free, building needs {BUILD_DISK_GIB}: set SLUICE_CACHE")


def build(missing: list[Tool], say: Say) -> None:
    """Download every module first, in the background of the first build, then build one after another."""
    downloads = [fetch(folder) for folder in sorted({tool.folder for tool in missing})]
    for number, tool in enumerate(missing, 1):
        began = time.monotonic()
        compile_(tool)
        say(f"  [{number}/{len(missing)}] {tool.name} built in {time.monotonic() - began:.0f} s")
    for download in downloads:
        download.wait()


def fetch(folder: str) -> subprocess.Popen[bytes]:
    command = [str(modules.GO), "-C", str(modules.PINS / folder), "mod", "download"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603


def compile_(tool: Tool) -> None:
    log = paths.CACHE / "logs" / f"build-{tool.name}.log"
    log.parent.mkdir(exist_ok=True)
    command = [str(modules.GO), "-C", str(modules.PINS / tool.folder), "build", "-trimpath", *flags(tool)]
    with log.open("wb") as output:
        done = subprocess.run(  # noqa: S603 - the command is the lab's own
            [*command, "-o", f"{paths.BIN}/", tool.package],
            stdout=output,
            stderr=output,
            env={**os.environ, "CGO_ENABLED": "1" if tool.folder in WITH_C else "0"},
            check=False,
        )
    if done.returncode:
        raise NotReady(f"building {tool.name} failed: see {log}")
    for old in paths.BIN.glob(f".{tool.name}-*"):
        old.unlink()
    tool.stamp.touch()


def flags(tool: Tool) -> list[str]:
    """Some want to be told their version, or that they are a release; some are built with less, or more, than usual."""
    linked = "-s -w"
    if tool.package.startswith(KUBERNETES):
        linked += f" -X k8s.io/component-base/version.gitVersion={modules.version(tool.folder, KUBERNETES)}"
    if tool.package.startswith(HELM):
        linked += f" -X {HELM}/internal/version.version={modules.version(tool.folder, HELM)}"
    if tool.package.startswith(TOFU):
        linked += f" -X {TOFU}/version.dev=no"
    tags = ["-tags", TAGS[tool.folder]] if tool.folder in TAGS else []
    return [*tags, "-ldflags", linked]


def owners() -> str:
    """The versions of the modules that own the custom resource definitions."""
    modules_of = {"argo-rollouts": ARGO, "traefik": TRAEFIK, "argo-cd": ARGO_CD}
    return " ".join(modules.version(folder, path) for folder, path in modules_of.items())


def definitions() -> None:
    """Copy the custom resource definitions out of the modules that own them, once for each pair of versions."""
    stamp, wanted = paths.CACHE / "crds/version", owners()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    for name, path in (("argo-rollouts", ARGO), ("argo-cd", ARGO_CD)):
        folder = paths.CACHE / "crds" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in (modules.source(name, path) / "manifests/crds").glob("*-crd.yaml"):
            shutil.copyfile(file, folder / file.name)
    traefik = paths.CACHE / "crds/traefik"
    traefik.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(modules.source("traefik", TRAEFIK) / TRAEFIK_CRDS, traefik / "definitions.yaml")
    stamp.write_text(wanted)
