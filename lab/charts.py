"""A chart repository on loopback, whose charts do nothing but keep the values that they are given."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from lab import process, programs
from lab.server import Server

KEPT = """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  values: {{ .Values | toJson | quote }}
"""


class Charts(Server):
    """Stand-ins by the names and versions of charts that are elsewhere."""

    name, health = "charts", "/index.yaml"

    def __init__(self, folder: Path, port: int, charts: Mapping[str, str]) -> None:
        super().__init__(folder, port)
        self.charts = charts

    def prepare(self) -> None:
        super().prepare()
        for name, version in self.charts.items():
            chart = self.folder / name
            (chart / "templates").mkdir(parents=True)
            (chart / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": name, "version": version}))
            (chart / "templates/kept.yaml").write_text(KEPT)
            process.run(programs.binary("helm"), "package", chart, "--destination", self.folder)
        process.run(programs.binary("helm"), "repo", "index", self.folder)

    def command(self) -> list[str]:
        words = ["-m", "http.server", str(self.port), "--bind", "127.0.0.1", "--directory", str(self.folder)]
        return [sys.executable, *words]
