import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ruamel.yaml import YAML

from lab import paths, releases, site
from lab.errors import NotReady
from lab.images import Bases
from lab.runner import Ran
from lab.site import Site
from release import environment
from release.access import kubeconfig


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(site, "key", lambda folder: folder)
    monkeypatch.setattr(paths, "PKI", tmp_path)
    (tmp_path / "tokens.csv").write_text('secret-token,admin,admin,"system:masters"\n')
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\nx\n")
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    asked: list[tuple[str, Mapping[str, str]]] = []

    def start(workflow: str, inputs: Mapping[str, str]) -> Ran:
        asked.append((workflow, inputs))
        return Ran(workflow, 0, "", 0.1)

    office: Any = SimpleNamespace(name="served", asked=start, log=asked)
    yard: Any = releases.Yard(None, lambda line: None)
    return Site(office, tmp_path, yard, Bases("python@x", "engine@x"), "fake")


def folder_of(place: Site, name: str, tmp_path: Path, over: Mapping[str, Any]) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "values.yaml").write_text(place.values(name, over))
    (folder / "release.yaml").write_text("release: {}\n")
    return folder


def test_an_environment_names_the_labs_cluster_and_who_signs(place: Site, tmp_path: Path) -> None:
    folder = folder_of(place, "prod", tmp_path, {"strategy": "blueGreen"})
    assert environment.named(folder)
    values = environment.mapping(folder / "values.yaml")
    assert values["strategy"] == "blueGreen"
    assert values["delivery"]["writes"] == "pullRequest"
    assert values["delivery"]["signedBy"] == {"key": f"{tmp_path}/signer/cosign.pub"}
    assert values["engine"]["gpu"] == {"count": 0}  # the lab's own values are below
    server = json.loads(kubeconfig(values["delivery"], "t"))["clusters"][0]["cluster"]
    assert server["server"].startswith("https://")
    assert server["certificate-authority-data"]


def test_the_chart_takes_these_values(place: Site, helm_template: Callable[[str], str]) -> None:
    text = helm_template(place.values("dev", {"strategy": "blueGreen"}))
    assert f"nodePort: {site.PORTS['dev']}" in text
    assert "on-rollout-aborted.forge" in text
    assert "prePromotionAnalysis" in text


@pytest.fixture
def helm_template(tmp_path: Path) -> Callable[[str], str]:
    helm = paths.BIN / "helm"
    if not helm.exists():
        pytest.skip("make test builds helm")

    def render(values: str) -> str:
        (tmp_path / "v.yaml").write_text(values)
        image = f"h/x@sha256:{'a' * 64}"
        model = {"id": "m", "revision": "r", "sha256": "b" * 64}
        said = {"version": "v0.1.0", "images": {"gateway": image, "engine": image}, "model": model, "gates": "c" * 64}
        with (tmp_path / "r.yaml").open("w") as file:
            YAML().dump({"release": said}, file)
        words = ("template", "llm", paths.ROOT / "charts/llm", "-f", tmp_path / "v.yaml", "-f", tmp_path / "r.yaml")
        return releases.run(helm, *words)

    return render


def test_a_runner_gets_an_identity_and_no_kubeconfig(place: Site) -> None:
    given = place.settings("http://127.0.0.1:1")
    assert given["ACTIONS_ID_TOKEN_REQUEST_URL"] == "http://127.0.0.1:1/token"
    assert place.bell.token == "secret-token"
    assert "secret-token" not in str(given)
    assert "KUBECONFIG" not in given
    assert place.variables["ENGINE_BASE"] == "engine@x"
    assert place.variables["REGISTRY"].endswith("/served")


def test_a_notification_starts_the_verdict_workflow(place: Site) -> None:
    said = {"environment": "staging", "version": "v0.1.0", "verdict": "promoted"}
    assert place.verdict(said).green
    assert place.office.log == [("verdict", said)]  # type: ignore[attr-defined]


def test_what_is_not_so_in_time_is_said() -> None:
    assert site.waited(iter([{}, {"at": 3}]).__next__, "never said", pause=0) == {"at": 3}
    with pytest.raises(NotReady, match="the pods do not go after 0 s"):
        site.waited(lambda: False, "the pods do not go", 0.05, 0.01)


def test_a_command_counts_from_when_it_runs_and_not_from_when_it_was_asked_for(tmp_path: Path) -> None:
    program = tmp_path / "sluice"
    program.write_text(f"#!{sys.executable}\ninput()\n")
    program.chmod(0o755)
    with site.Started("rollback") as seen:
        asked = time.time()
        with subprocess.Popen([program, "rollback", "v0.1.0"], stdin=subprocess.PIPE) as child:
            seen.thread.join(10)
            assert seen.at >= asked
            assert any("/sluice rollback" in line for line in site.ours(tmp_path))
            child.communicate(b"\n")
    assert not any(str(program) in line for line in site.ours(tmp_path))


def test_only_one_environment_stays(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    monkeypatch.setattr(site, "kubectl", lambda *words: gone.append(words[2]))
    place.alone("dev")
    assert sorted(gone) == sorted(site.PORTS.keys() - {"dev"})
