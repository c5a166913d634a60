"""Renders the chart with the real helm. A missing helm fails every test here: a skip would look like a pass."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("SLUICE_CACHE", "/var/cache/sluice"))
RELEASE: dict[str, Any] = {
    "version": "v1.0.0",
    "images": {
        "gateway": "127.0.0.1:5000/sluice/gateway@sha256:" + "a" * 64,
        "engine": "registry.example.org/sluice/engine@sha256:" + "b" * 64,
    },
    "model": {"id": "sluice/tiny", "revision": "seed-1", "sha256": "c" * 64},
    "gates": "d" * 64,
}
Object = dict[str, Any]


class HelmRefused(Exception):
    pass


@dataclass(frozen=True)
class Rendered:
    text: str
    objects: list[Object]

    def one(self, kind: str, name: str) -> Object:
        [found] = [o for o in self.objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
        return found

    def all(self, kind: str) -> list[Object]:
        return [o for o in self.objects if o["kind"] == kind]


@dataclass(frozen=True)
class Chart:
    helm: str
    folder: Path  # for values files

    def run(self, *args: str) -> str:
        line = [self.helm, *args]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise HelmRefused(done.stdout + done.stderr)
        return done.stdout

    def render(self, env: str | None = None, release: Mapping[str, Any] | None = RELEASE, **values: Any) -> Rendered:
        file = self.folder / "values.json"
        file.write_text(json.dumps(values | ({"release": release} if release else {})))
        chosen = ["-f", f"environments/{env}/values.yaml"] if env else []
        text = self.run("template", "llm", "charts/llm", "--namespace", "demo", *chosen, "-f", str(file))
        return Rendered(text, [o for o in YAML(typ="safe").load_all(text) if o])


@pytest.fixture
def chart(tmp_path: Path) -> Chart:
    cached = CACHE / "bin" / "helm"
    helm = str(cached) if cached.exists() else shutil.which("helm")
    if helm is None:
        pytest.fail(f"helm is neither at {cached} nor on PATH: make lab builds it", pytrace=False)
    return Chart(helm, tmp_path)


@pytest.fixture
def release() -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(RELEASE))
    return copy
