from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release.errors import Unreachable
from release.inquiry import evidence, withheld
from tests.release.team import release_text

Make = Callable[..., dict[str, Any]]
NEVER = [{"type": "Completed", "status": "True"}, {"type": "Progressing", "status": "True"}]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The folder of an environment that names a cluster."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "values.yaml").write_text("delivery: {cluster: 'https://cluster.invalid'}\n")
    (folder / "release.yaml").write_text(release_text("v1.1.0"))
    return folder


def test_a_verdict_is_kept_without_figures_when_the_cluster_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    (tmp_path / "values.yaml").write_text("delivery: {cluster: ''}\n")
    (tmp_path / "release.yaml").write_text(release_text("v1.0.0"))
    assert evidence(tmp_path) == evidence(tmp_path / "gone") == []
    (tmp_path / "values.yaml").write_text("delivery: {cluster: 'https://cluster.invalid'}\n")
    [said] = evidence(tmp_path)
    assert said.startswith("no figures: ")


def test_the_evidence_is_what_explain_says(demo: Path, api: Any, healthy: Make, rollout_path: str) -> None:
    api.on("GET", rollout_path, healthy())
    api.on("GET", rollout_path.replace("rollouts/llm-engine", "analysisruns"), {"items": []})
    assert any("v1.1.0" in line for line in evidence(demo))


def test_a_first_installs_engine_is_not_the_release_before_its_gateway_is_there(
    demo: Path, api: Any, healthy: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    api.on("GET", rollout_path, healthy())
    first = gateway(stableRS="new", conditions=NEVER)
    done = gateway(phase="Healthy", stableRS="new", conditions=[*NEVER, {"type": "Healthy", "status": "True"}])
    api.on("GET", gateway_path, first, done)
    assert "no pod of its gateway" in withheld(demo, "engine", "v1.1.0")
    assert withheld(demo, "engine", "v1.1.0") == ""
    assert withheld(demo, "gateway", "v1.1.0") == ""


def test_a_gateway_that_has_served_and_is_short_of_a_pod_withholds_no_verdict(
    demo: Path, api: Any, healthy: Make, gateway: Make, rollout_path: str, gateway_path: str
) -> None:
    api.on("GET", rollout_path, healthy())
    api.on("GET", gateway_path, gateway(stableRS="new", conditions=[*NEVER, {"type": "Healthy", "status": "False"}]))
    assert withheld(demo, "engine", "v1.1.0") == ""


def test_an_engines_promotion_counts_where_no_cluster_answers_and_a_gateways_does_not(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert withheld(demo, "engine", "v1.1.0") == withheld(tmp_path / "gone", "engine", "v1.1.0") == ""
    with pytest.raises(Unreachable):
        withheld(demo, "gateway", "v1.1.0")
