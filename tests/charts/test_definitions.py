"""What is rendered, against the schemas of Argo's and Traefik's own resource definitions."""

from functools import cache

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from lab.schemas import closed
from tests.charts.conftest import CACHE

FILES = {
    "Rollout": "argo-rollouts/rollout-crd.yaml",
    "AnalysisTemplate": "argo-rollouts/analysis-template-crd.yaml",
    "TraefikService": "traefik/definitions.yaml",
}
pytestmark = pytest.mark.skipif(not (CACHE / "crds").is_dir(), reason="make lab brings the resource definitions")


@cache
def validator(kind: str) -> Draft202012Validator:
    documents = YAML(typ="safe").load_all(CACHE / "crds" / FILES[kind])
    [definition] = [d for d in documents if d and d["spec"]["names"]["kind"] == kind]
    schema = closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return Draft202012Validator(schema)


@pytest.mark.parametrize("strategy", ["canary", "blueGreen"])
@pytest.mark.parametrize("name", ["lab", "prod"])
def test_rendered_objects_are_what_the_definitions_say(chart, name, strategy):
    rendered = chart.render(name, strategy=strategy)
    found = [(kind, document) for kind in FILES for document in rendered.all(kind)]
    assert {kind for kind, _ in found} >= {"Rollout", "AnalysisTemplate"}
    for kind, document in found:
        problems = [f"{error.json_path}: {error.message}" for error in validator(kind).iter_errors(document)]
        assert problems == [], document["metadata"]["name"]
