import json
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

MONITORING = Path(__file__).parents[2] / "monitoring"
CHART = MONITORING / "chart"


def rendered(helm: str, *arguments: str) -> dict[tuple[str, str], dict]:
    done = subprocess.run([helm, "template", "mon", CHART, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    documents = [document for document in YAML(typ="safe").load_all(done.stdout) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def test_the_chart_holds_links_to_the_one_copy_and_no_copy():
    for name in ("rules", "dashboards"):
        assert (CHART / "files" / name).is_symlink()
        assert (CHART / "files" / name).resolve() == MONITORING / name
    assert not [path for path in CHART.rglob("*") if path.is_file() and "alert:" in path.read_text()]


def test_every_rule_file_becomes_a_prometheusrule_unchanged(helm):
    made = rendered(helm)
    for path in (MONITORING / "rules").glob("*.yaml"):
        assert made["PrometheusRule", f"mon-{path.stem}"]["spec"] == YAML(typ="safe").load(path)


def test_the_dashboard_becomes_a_configmap_that_grafana_finds(helm):
    found = rendered(helm)["ConfigMap", "mon-sluice-dashboard"]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    wanted = json.loads((MONITORING / "dashboards/sluice.json").read_text())
    assert json.loads(found["data"]["sluice.json"]) == wanted


@pytest.mark.parametrize("component", ["gateway", "engine", "prober"])
def test_gateways_engines_and_probers_are_scraped_with_the_label_that_alerts_need(helm, component):
    spec = rendered(helm)["PodMonitor", f"mon-{component}"]["spec"]
    assert spec["selector"]["matchLabels"] == {"app.kubernetes.io/component": component}
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["relabelings"][0]["targetLabel"] == "component"
    assert spec["namespaceSelector"] == {"any": True}


def test_the_operator_finds_rules_and_monitors_by_the_labels_of_values(helm):
    made = rendered(helm, "--set", "selectorLabels.release=prom")
    found = [document for (kind, _), document in made.items() if kind != "ConfigMap"]
    assert len(found) == 6
    assert all(document["metadata"]["labels"]["release"] == "prom" for document in found)


def test_monitors_and_dashboard_can_be_left_out_and_namespaces_chosen(helm):
    made = rendered(helm, "--set", "podMonitor.enabled=false,dashboard.enabled=false")
    assert {kind for kind, _ in made} == {"PrometheusRule"}
    chosen = rendered(helm, "--set", "podMonitor.namespaces={demo}")["PodMonitor", "mon-engine"]
    assert chosen["spec"]["namespaceSelector"] == {"matchNames": ["demo"]}


def test_an_unknown_value_is_refused(helm):
    done = subprocess.run(
        [helm, "template", CHART, "--set", "podMonitors.enabled=true"], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "podMonitors" in done.stderr
