"""`python -m lab.linters [ROOT]`: reads workflows, scripts and Dockerfiles, and ends with 1 on any finding."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import paths, schemas, tools
from lab.errors import LabError
from lab.process import run

HEX = "a" * 64
IMAGE = f"registry.invalid/x@sha256:{HEX}"
PULL_MODE = "release/argocd.yaml"
ELSEWHERE = ("PodMonitor", "PrometheusRule")  # kinds of an operator that the lab does not run
SHELL = ("#!/bin/sh", "#!/bin/bash")


def scripts(root: Path) -> list[str]:
    """Every tracked file that a shell runs, by its first line or its name."""
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split()  # noqa: S607
    return [name for name in listed if (root / name).is_file() and shell(root / name)]


def shell(file: Path) -> bool:
    with file.open("rb") as content:
        first = content.readline(80).decode(errors="replace")
    return first.startswith(SHELL) or file.suffix == ".sh"


def commands(root: Path) -> Iterator[list[str]]:
    beside = Path(sys.executable).parent
    yield [str(paths.BIN / "actionlint"), "-no-color", "-shellcheck", str(beside / "shellcheck")]
    yield [str(beside / "zizmor"), "--offline", "--quiet", "--no-progress", "--color=never", ".github"]
    yield [str(beside / "shellcheck"), *scripts(root)]
    yield [str(beside / "hadolint"), "--no-color", "Dockerfile", "lab/Dockerfile"]


def workload(root: Path, environment: str) -> list[str]:
    """Helm's words for the workload's chart as this environment gets it, with a release of the right form."""
    chart = [str(root / "charts/llm"), "--values", str(root / f"environments/{environment}/values.yaml")]
    images = ["--set", f"release.version=v1.0.0,release.images.gateway={IMAGE},release.images.engine={IMAGE}"]
    model = ["--set", f"release.model.id=m,release.model.revision=r,release.model.sha256={HEX},release.gates={HEX}"]
    return [*chart, *images, *model]


def rendered(root: Path, environment: str) -> str:
    """The workload's chart and the monitoring chart."""
    charts = [workload(root, environment), [str(root / "monitoring/chart")]]
    return "\n---\n".join(run(paths.BIN / "helm", "template", "llm", *words) for words in charts)


def conformed(root: Path) -> str:
    """What kubeconform says of every environment's manifests and of pull mode's, by schemas that lie here."""
    said = {
        values.parent.name: judged(rendered(root, values.parent.name))
        for values in sorted((root / "environments").glob("*/values.yaml"))
    } | {PULL_MODE: judged((root / PULL_MODE).read_text())}
    return "\n".join(f"{name}: {text}" for name, text in said.items() if text)


def judged(manifests: str) -> str:
    words = [str(paths.BIN / "kubeconform"), "-strict", "-schema-location", schemas.write()]
    words += ["-skip", ",".join(ELSEWHERE)]
    done = subprocess.run(words, input=manifests, capture_output=True, text=True, check=False)  # noqa: S603
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def findings(root: Path) -> dict[str, str]:
    """What each linter says that is not content."""
    found = {}
    for words in commands(root):
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            found[Path(words[0]).name] = (done.stdout + done.stderr).strip()
    if said := conformed(root):
        found["kubeconform"] = said
    return found


def main() -> int:
    try:
        tools.ensure(lambda line: None, ["actionlint", "helm", "kubeconform", tools.DEFINITIONS])
    except LabError as error:
        print(f"linters: {error}", file=sys.stderr)  # noqa: T201
        return error.code
    found = findings(Path(sys.argv[1]) if len(sys.argv) > 1 else paths.ROOT)
    for name, said in found.items():
        print(f"{name}:\n{said}", file=sys.stderr)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
