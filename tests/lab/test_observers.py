import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from lab import observers, paths, slack

TARGETS = observers.Targets("alerts:1", "argo:2")
CONFIG: Any = observers.prometheus_config(TARGETS, "/rules", Path("/kubeconfig"))


def test_prometheus_is_told_where_everything_is() -> None:
    pods, argo = CONFIG["scrape_configs"]

    assert CONFIG["rule_files"] == ["/rules/*.yaml"]
    assert CONFIG["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["alerts:1"]}]}]
    assert argo["static_configs"] == [{"targets": ["argo:2"]}]
    assert pods["kubernetes_sd_configs"] == [{"role": "pod", "kubeconfig_file": "/kubeconfig"}]


def test_inside_a_cluster_the_pods_own_account_is_used() -> None:
    config: Any = observers.prometheus_config(TARGETS, "/rules")

    assert config["scrape_configs"][0]["kubernetes_sd_configs"] == [{"role": "pod"}]


def test_only_pods_that_ask_for_it_are_scraped() -> None:
    keep = [rule for rule in CONFIG["scrape_configs"][0]["relabel_configs"] if rule.get("action") == "keep"]

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
    assert json.loads(json.dumps(CONFIG)) == CONFIG


async def test_slack_texts_are_read_from_a_time_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "slack.jsonl"
    store.write_text("".join(json.dumps({"time": at, "text": f"at {at}"}) + "\n" for at in (1, 2, 3)))
    async with TestServer(slack.create_app(store)) as server:
        monkeypatch.setattr(paths, "SLACK", str(server.make_url("")).rstrip("/"))

        assert await asyncio.to_thread(observers.slack_messages, 2) == ["at 2", "at 3"]
        assert await asyncio.to_thread(observers.slack_messages, 4) == []
