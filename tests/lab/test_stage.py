from pathlib import Path

import pytest
from ruamel.yaml import YAML

from lab import paths
from lab.scenario import Fault, When
from lab.stage import FAULT_PORT, Images, Stage, merged
from release import environment

DIGEST = "sha256:" + "a" * 64
IMAGES = Images(*(f"127.0.0.1:5000/sluice/{name}@{DIGEST}" for name in ("gateway", "engine", "lab")), {
    "id": "sluice/tiny", "revision": "seed-1", "sha256": "b" * 64
})  # fmt: skip


def test_values_are_merged_as_helm_does_it() -> None:
    assert merged({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}}) == {"a": {"b": 1, "c": [2]}, "d": 1}


def test_the_written_environment_is_one_that_sluice_takes(tmp_path: Path) -> None:
    stage = Stage("one", 30100, tmp_path, {"strategy": "blueGreen"})
    stage.write("v1.1.0", IMAGES, [])

    found = environment.load(stage.environment)

    assert found.release.version == "v1.1.0"
    assert found.values["strategy"] == "blueGreen"
    assert found.values["gateway"]["nodePort"] == 30100
    assert found.values["gateway"]["database"] == {"existingSecret": "llm-database", "port": paths.POSTGRES_PORT}


def test_two_releases_differ_in_their_build_whatever_else_the_engine_is_given(tmp_path: Path) -> None:
    given = {"name": "SLUICE_ENGINE_ITL_MS", "value": "400"}
    stage, seen = Stage("one", 30100, tmp_path, {"engine": {"env": [given]}}), []
    for version in ("v1.0.0", "v1.1.0"):
        stage.write(version, IMAGES, [])
        seen.append(environment.load(stage.environment).values["engine"]["env"])
    assert seen == [[given, {"name": "SLUICE_BUILD", "value": version}] for version in ("v1.0.0", "v1.1.0")]


def test_the_grace_of_a_gateway_is_the_labs_unless_a_scenario_says_another(tmp_path: Path) -> None:
    lab = YAML(typ="safe").load((paths.ROOT / "environments/lab/values.yaml").read_text())["gateway"]["preStopSeconds"]
    assert Stage("one", 30100, tmp_path).grace == lab
    assert Stage("one", 30100, tmp_path, {"gateway": {"preStopSeconds": 1.5}}).grace == 1.5


def test_in_somebody_elses_cluster_there_is_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "EXISTING", True)

    assert Stage("one", 30100, tmp_path).overlay(IMAGES, [])["gateway"] == {"nodePort": None}


def test_the_fault_proxy_stands_between_gateway_and_engine(tmp_path: Path) -> None:
    stage = Stage("one", 30100, tmp_path)
    stage.write("v1.1.0", IMAGES, [Fault(when=When(source="user", step_at_least=5), share=0.5, do="http_500")])

    engine = YAML(typ="safe").load((stage.environment / "values.yaml").read_text())["engine"]

    assert engine["trafficPort"] == FAULT_PORT
    plan = engine["sidecars"][0]["env"][0]["value"]
    assert plan == '[{"when": {"source": "user", "step_at_least": 5}, "share": 0.5, "do": "http_500"}]'


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 0", ""), ("echo first >&2; echo 'Error: timed out' >&2; exit 1", "Error: timed out"), ("exit 3", "exit 3")],
)
def test_what_helm_test_says_comes_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    helm = tmp_path / "helm"
    helm.write_text(f"#!/bin/sh\n{script}\n")
    helm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert Stage("one", 30100, tmp_path).helm_test() == said
