import re
import tarfile
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.charts.conftest import ROOT, HelmRefused


@pytest.mark.parametrize(
    "values",
    [
        {"gatway": {}},
        {"engine": {"command": ["sh"]}},
        {"engine": {"gpu": {"kind": "h100"}}},
        {"gateway": {"settings": {"firstTokenSecond": 3}}},
        {"gateway": {"nodePort": 80}},
        {"gateway": {"maxInflightPerEngine": -1}},
        {"rollouts": {"threshold": 0.5}},
        {"rollouts": {"steps": [{"weight": 0, "minimum": 1, "pause": 3}, {"weight": 1, "minimum": 1}]}},
        {"rollouts": {"steps": [{"weight": 0, "minimum": 1}]}},
        {"rollouts": {"quiet": "yes"}},
        {"strategy": "rolling"},
    ],
    ids=str,
)
def test_schema_refuses_what_it_does_not_know(chart, values):
    with pytest.raises(HelmRefused, match="values don't meet the specifications of the schema"):
        chart.render(**values)


@pytest.mark.parametrize("image", ["engine:latest", "engine", "engine:v1@sha256:" + "a" * 64, "engine@sha256:abc"])
@pytest.mark.parametrize("place", ["gateway", "engine", "sidecar"])
def test_image_that_can_move_is_refused(chart, release, image, place):
    values: dict[str, Any] = {}
    if place == "sidecar":
        values = {"engine": {"sidecars": [{"name": "x", "image": image}]}}
    else:
        release["images"][place] = image
    with pytest.raises(HelmRefused, match="values don't meet the specifications of the schema"):
        chart.render(release=release, **values)


@pytest.mark.parametrize("missing", ["version", "images", "model", "gates"])
def test_release_is_whole_or_refused(chart, release, missing):
    del release[missing]
    with pytest.raises(HelmRefused, match=missing):
        chart.render(release=release)


@pytest.mark.parametrize("given", ["{}", "sha256:{}"])
def test_a_hash_may_carry_its_algorithm_and_the_pod_is_asked_for_the_bare_one(chart, release, given):
    release["gates"], release["model"]["sha256"] = given.format("d" * 64), given.format("e" * 64)
    text = str(chart.render(release=release))
    assert "'value': '" + "e" * 64 + "'" in text


def test_no_release_at_all_names_the_file_to_add(chart):
    with pytest.raises(HelmRefused, match=r"add -f environments/<env>/release\.yaml"):
        chart.render(release=None)


def test_too_long_a_name_is_refused(chart):
    with pytest.raises(HelmRefused, match="longer than 40 characters"):
        chart.run("template", "a" * 41, "charts/llm")


@pytest.mark.parametrize(("replicas", "refused"), [(2, True), (1, False)])
def test_sqlite_is_refused_with_more_than_one_gateway_pod(chart, replicas, refused):
    gateway = {"replicas": replicas, "settings": {"databaseUrl": "sqlite:////data/feedback.db"}}
    if not refused:
        assert "SLUICE_DATABASE_URL" in chart.render(gateway=gateway).text
        return
    with pytest.raises(HelmRefused, match="SQLite is for one gateway pod"):
        chart.render(gateway=gateway)


def test_a_password_in_plain_settings_is_refused(chart):
    with pytest.raises(HelmRefused, match="databaseUrl"):
        chart.render(gateway={"settings": {"databaseUrl": "postgresql://user:password@host/name"}})


def test_the_gateway_reaches_its_database_and_knows_it_from_a_secret(chart):
    rendered = chart.render(gateway={"database": {"existingSecret": "db", "port": 6000}})
    rules = rendered.one("NetworkPolicy", "llm-gateway")["spec"]["egress"]
    container = rendered.one("Rollout", "llm-gateway")["spec"]["template"]["spec"]["containers"][0]

    assert [{"protocol": "TCP", "port": 6000}] in [rule["ports"] for rule in rules]
    secret = {"secretKeyRef": {"name": "db", "key": "url"}}
    assert {"name": "SLUICE_DATABASE_URL", "valueFrom": secret} in container["env"]


def test_lint_is_clean(chart):
    assert "1 chart(s) linted, 0 chart(s) failed" in (said := chart.run("lint", "charts/llm"))
    assert not re.search(r"\[(WARNING|ERROR)\]", said)


def test_subchart_is_linked_so_that_a_clone_is_enough():
    link = ROOT / "charts" / "llm" / "charts" / "rollouts"
    assert str(link.readlink()) == "../../../rollouts"
    assert (link / "Chart.yaml").read_text() == (ROOT / "rollouts" / "Chart.yaml").read_text()


def test_programs_are_not_stored_with_a_release(chart, tmp_path):
    chart.run("package", "charts/llm", "--destination", str(tmp_path))
    [packed] = tmp_path.glob("llm-*.tgz")
    with tarfile.open(packed) as archive:
        names = archive.getnames()
    assert "llm/charts/rollouts/analysis/bad-share.yaml" in names
    assert not [name for name in names if name.endswith((".py", ".pyc"))]


def test_values_file_is_readable_in_one_sitting():
    for file in (ROOT / "charts/llm/values.yaml", ROOT / "rollouts/values.yaml"):
        text = file.read_text()
        assert len(text.splitlines()) <= 150
        assert keys(YAML(typ="safe").load(text)) == {k for k in keys(YAML(typ="safe").load(text)) if camel(k)}


def camel(key: str) -> bool:
    return re.fullmatch(r"[a-z][a-zA-Z0-9]*", key) is not None


def keys(values: Any) -> set[str]:
    if isinstance(values, list):
        return {key for entry in values for key in keys(entry)}
    if not isinstance(values, dict):
        return set()
    return set(values) | {key for value in values.values() for key in keys(value)}
