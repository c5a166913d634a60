from ipaddress import ip_address, ip_network
from typing import Any

import pytest


@pytest.mark.parametrize(("who", "reads"), [("gateway", "engine"), ("prober", "gateway")])
def test_each_may_only_read_the_rollout_whose_arms_it_tells_apart_and_what_runs(chart, who, reads):
    assert chart.render().one("Role", f"llm-{who}")["rules"] == [
        {
            "apiGroups": ["argoproj.io"],
            "resources": ["rollouts"],
            "resourceNames": [f"llm-{reads}"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["get", "list", "watch"]},
    ]


def test_nothing_is_granted_beyond_the_namespace_or_by_wildcard(chart):
    rendered = chart.render()
    assert rendered.all("ClusterRole") == rendered.all("ClusterRoleBinding") == []
    granted = [
        entry for role in rendered.all("Role") for rule in role["rules"] for part in rule.values() for entry in part
    ]
    assert "*" not in granted
    for who in ("gateway", "prober"):
        binding = rendered.one("RoleBinding", f"llm-{who}")
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": f"llm-{who}", "namespace": "demo"}]


def test_only_who_reads_the_cluster_has_a_token(chart):
    rendered = chart.render()
    owners = [*rendered.all("Rollout"), *rendered.all("Deployment")]
    tokens = {o["metadata"]["name"]: o["spec"]["template"]["spec"]["automountServiceAccountToken"] for o in owners}
    assert tokens == {"llm-engine": False, "llm-gateway": True, "llm-prober": True}
    accounts = {account["metadata"]["name"] for account in rendered.all("ServiceAccount")}
    assert {o["spec"]["template"]["spec"]["serviceAccountName"] for o in owners} == accounts


def policy(rendered: Any, component: str) -> Any:
    return rendered.one("NetworkPolicy", f"llm-{component}")["spec"]


def test_engine_calls_nobody_and_serves_only_the_gateway(chart):
    spec = policy(chart.render(engine={"trafficPort": 8001}), "engine")
    assert spec["egress"] == []
    gateway, scraper = spec["ingress"]
    assert gateway["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"
    assert [rule["ports"][0]["port"] for rule in (gateway, scraper)] == [8001, 8000]


def test_named_clients_do_not_shut_out_prober_and_scraper(chart):
    peers = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    scrapers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    rendered = chart.render(networkPolicy={"clients": peers, "scrapers": scrapers})
    [rule] = policy(rendered, "gateway")["ingress"]
    assert rule["from"][1:] == peers + scrapers
    assert rule["from"][0] == {"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "llm"}}}
    assert "from" not in policy(chart.render(), "gateway")["ingress"][0]


def test_policies_go_where_the_network_does_its_own(chart):
    assert chart.render(networkPolicy={"enabled": False}).all("NetworkPolicy") == []


def test_with_a_collector_gateway_and_engine_may_reach_it_and_know_it(chart):
    rendered = chart.render(tracing={"endpoint": "http://collector.traces:4318", "share": 0.5})
    way = [{"protocol": "TCP", "port": 4318}]
    for component in ("engine", "gateway"):
        assert way in [rule["ports"] for rule in policy(rendered, component)["egress"]]

    engine = rendered.one("Rollout", "llm-engine")["spec"]["template"]["spec"]["containers"][0]
    assert engine["args"] == ["--otlp-traces-endpoint", "http://collector.traces:4318/v1/traces"]
    assert {"name": "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "value": "http/protobuf"} in engine["env"]
    settings = rendered.all("ConfigMap")[0]["data"]
    assert settings["SLUICE_OTLP_ENDPOINT"] == "http://collector.traces:4318"
    assert settings["SLUICE_TRACE_SHARE"] == "0.5"


def test_a_media_host_cannot_send_the_engine_elsewhere(chart):
    rendered = chart.render(gateway={"settings": {"mediaHosts": "data:, a.example,b.example"}})
    engine = rendered.one("Rollout", "llm-engine")["spec"]["template"]["spec"]["containers"][0]

    assert engine["args"] == ["--allowed-media-domains", "a.example", "b.example"]
    assert {"name": "VLLM_MEDIA_URL_ALLOW_REDIRECTS", "value": "0"} in engine["env"]
    _, outside = policy(rendered, "engine")["egress"]
    assert outside["ports"] == [{"protocol": "TCP", "port": 443}]
    [block] = [peer["ipBlock"] for peer in outside["to"]]
    shut = [ip_network(one) for one in block["except"]]
    for inside in ("169.254.169.254", "10.96.0.1", "172.20.0.1", "192.168.0.1", "127.0.0.1", "100.100.100.200"):
        assert any(ip_address(inside) in one for one in shut), inside


@pytest.mark.parametrize("hosts", ["", "data:"])
def test_an_engine_that_fetches_nothing_still_calls_nobody(chart, hosts):
    rendered = chart.render(gateway={"settings": {"mediaHosts": hosts}})

    assert "--allowed-media-domains" not in rendered.text
    assert policy(rendered, "engine")["egress"] == []


def test_an_engine_that_is_not_vllm_gets_no_arguments_of_vllms(chart):
    rendered = chart.render(tracing={"endpoint": "http://collector:4318"}, gateway={"settings": {"engine": "sglang"}})
    fetching = chart.render(gateway={"settings": {"engine": "sglang", "mediaHosts": "a.example"}})

    assert "--otlp-traces-endpoint" not in rendered.text
    assert policy(rendered, "engine")["egress"] == []
    assert "--allowed-media-domains" not in fetching.text
