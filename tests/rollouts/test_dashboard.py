import re

import promql_parser
import pytest

from rollouts import dashboard
from rollouts.gates import load

QUERIES = [expr for panel in dashboard.panels(load()) for expr, _ in panel.queries]
KNOWN = {
    "http_requests_total",
    "llm:kv_cache_usage:ratio",
    "llm:requests_running",
    "llm:requests_waiting",
    "rollout_info",
    "sluice:backstop",
    "sluice:gate_bad",
    "sluice:gate_evidence",
    "sluice:gate_n",
    "sluice:gate_verdict",
    "sluice_inflight_requests",
    "sluice_oldest_request_seconds",
    "sluice_request_seconds_bucket",
    "sluice_requests_total",
    "sluice_answers_score",
    "sluice_slow_total",
    "sluice_tpot_seconds_bucket",
    "sluice_ttft_seconds_bucket",
    "sluice_weight",
    "tokens_per_second",
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_parses(query):
    promql_parser.parse(query.replace("$__rate_interval", "1m"))


def test_the_queries_name_only_metrics_of_the_gateway_the_rules_and_argo():
    text = "\n".join(re.sub(r'"[^"]*"', "", query) for query in QUERIES)
    named = set(
        re.findall(r"[a-z_:]+(?=\{)|\b(?:llm:[a-z_:]+|tokens_per_second|[a-z]+_[a-z_]+(?:_total|_info))\b", text)
    )
    assert {name for name in named if "_" in name} - {"histogram_quantile"} <= KNOWN


def test_no_query_uses_an_engines_own_name(gates):
    assert not any(re.search(r"vllm:|sglang:|DCGM_", query) for query in QUERIES)


def test_panels_have_their_own_titles_and_places(gates):
    drawn = dashboard.document(gates)["panels"]
    assert len({panel["title"] for panel in drawn}) == len(drawn)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in drawn}) == len(drawn)
    assert [panel["id"] for panel in drawn] == list(range(1, len(drawn) + 1))


def test_the_evidence_panel_draws_the_lines_that_decide(gates):
    panel = next(panel for panel in dashboard.document(gates)["panels"] if panel["title"] == "Evidence")
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [step["value"] for step in steps] == [None, gates.evidence.pass_at, gates.evidence.fail_at]


def test_every_variable_that_a_query_uses_is_defined(gates):
    defined = {variable["name"] for variable in dashboard.document(gates)["templating"]["list"]}
    used = {name for query in QUERIES for name in re.findall(r"\$(\w+)", query)} - {"__rate_interval"}
    assert used <= defined
