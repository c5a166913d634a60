from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.charts.conftest import ROOT

ENVIRONMENTS = ["dev", "lab", "prod", "staging"]


def loaded(path: str) -> Any:
    return YAML(typ="safe").load(ROOT / path)


def defaults() -> Any:
    return loaded("charts/llm/values.yaml") | {"rollouts": loaded("rollouts/values.yaml")}


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(values, dict):
        yield path, values
        return
    for key, value in values.items():
        yield from leaves(value, (*path, key))


def at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def least_seconds(name: str) -> int:
    steps = at(loaded(f"environments/{name}/values.yaml"), ("rollouts", "steps")) or defaults()["rollouts"]["steps"]
    return sum(step["minimum"] for step in steps)


def test_there_are_these_environments():
    assert sorted(folder.name for folder in (ROOT / "environments").iterdir()) == ENVIRONMENTS


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_renders_whole(chart, name):
    rendered = chart.render(name)
    kinds = {o["kind"] for o in rendered.objects}
    assert {"Rollout", "Deployment", "AnalysisTemplate", "NetworkPolicy", "PodDisruptionBudget", "Pod"} <= kinds
    leftovers = rendered.text.replace("{{args.", "")  # Argo's own, filled when a release is judged
    assert "{{" not in leftovers
    assert "<no value>" not in leftovers
    assert "%!" not in leftovers


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_says_only_what_differs(name):
    own = dict(leaves(loaded(f"environments/{name}/values.yaml")))
    assert [path for path, value in own.items() if at(defaults(), path) == value] == []


def test_pace_is_seconds_in_the_lab_and_hours_in_prod():
    assert least_seconds("lab") < 120
    assert least_seconds("lab") < least_seconds("dev") < least_seconds("staging") < least_seconds("prod")
    assert least_seconds("prod") > 4 * 3600


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_weights_are_the_same_everywhere(chart, name):
    steps = chart.render(name).one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]["steps"]
    assert [step["setWeight"] for step in steps if "setWeight" in step] == [0, 1, 5, 25]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_quiet_time_is_known_before_a_step_is_given_up(name):
    pace = defaults()["rollouts"] | (loaded(f"environments/{name}/values.yaml").get("rollouts") or {})
    assert pace["quietAfter"] < pace["undecided"]
    assert pace["noData"] < pace["undecided"]


@pytest.mark.parametrize("name", ["dev", "prod", "staging"])
def test_fresh_fork_releases_nothing(name):
    releases = loaded(f"environments/{name}/values.yaml").keys() & {"release"}
    assert releases == set()
