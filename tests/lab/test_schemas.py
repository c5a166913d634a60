import json
from pathlib import Path

import pytest

from lab import modules, paths, tools
from lab.schemas import closed, file_of, kinds, write


def test_a_field_that_no_definition_knows_is_an_error_unless_it_may_be_anything() -> None:
    found = closed({"properties": {"a": {"properties": {}}, "b": {"additionalProperties": {"type": "string"}}}})
    assert found["additionalProperties"] is False
    assert found["properties"]["a"]["additionalProperties"] is False
    assert found["properties"]["b"]["additionalProperties"] == {"type": "string"}
    assert closed({"properties": {}, "x-kubernetes-preserve-unknown-fields": True})["additionalProperties"] is True


def test_every_kind_has_its_file() -> None:
    group = {"group": "networking.k8s.io", "kind": "NetworkPolicy", "version": "v1"}
    core = {"group": "", "kind": "Service", "version": "v1"}
    definitions = {"a": {"x-kubernetes-group-version-kind": [group]}, "b": {"x-kubernetes-group-version-kind": [core]}}
    assert dict(kinds(definitions)) == {
        "networkpolicy-networking-v1.json": {"$ref": "definitions.json#/definitions/a"},
        "service-v1.json": {"$ref": "definitions.json#/definitions/b"},
    }
    assert file_of("Rollout", "argoproj", "v1alpha1") == "rollout-argoproj-v1alpha1.json"


def test_schemas_are_written_again_when_a_resource_definition_has_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swagger = tmp_path / "api/openapi-spec/swagger.json"
    swagger.parent.mkdir(parents=True)
    swagger.write_text(json.dumps({"definitions": {}}))
    monkeypatch.setattr(modules, "source", lambda folder, path: tmp_path)
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    for version, there in (("v1", False), ("v1", False), ("v2", True)):
        monkeypatch.setattr(tools, "owners", lambda version=version: version)
        write(tmp_path / "schemas")
        assert (tmp_path / "schemas/rollout-argoproj-v1alpha1.json").exists() is there
        (tmp_path / "crds").mkdir(exist_ok=True)
        served = {"name": "v1alpha1", "schema": {"openAPIV3Schema": {"properties": {}}}}
        spec = {"names": {"kind": "Rollout"}, "group": "argoproj.io", "versions": [served]}
        (tmp_path / "crds/rollout.yaml").write_text(json.dumps({"spec": spec}))
