import json
from pathlib import Path

import pytest

from lab import observers, paths


def test_prometheus_reads_the_rules_that_production_reads() -> None:
    config = observers.prometheus_config()

    assert config["rule_files"] == [f"{paths.ROOT}/monitoring/rules/*.yaml"]


def test_only_pods_that_ask_for_it_are_scraped() -> None:
    keep = [rule for rule in observers.pods()["relabel_configs"] if rule.get("action") == "keep"]  # type: ignore[attr-defined]

    assert ["__meta_kubernetes_pod_annotation_prometheus_io_scrape"] in [rule["source_labels"] for rule in keep]


def test_alertmanager_gets_productions_routes_with_the_labs_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path)
    observers.alertmanager()

    routes = (tmp_path / "alertmanager/alertmanager.yaml").read_text()

    assert f"api_url_file: {tmp_path}/alertmanager/slack-url" in routes
    assert (tmp_path / "alertmanager/slack-url").read_text().startswith(paths.SLACK)


def test_the_configuration_is_json_that_prometheus_can_read() -> None:
    assert json.loads(json.dumps(observers.prometheus_config())) == observers.prometheus_config()
