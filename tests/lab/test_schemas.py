from lab.schemas import closed, file_of, kinds


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
