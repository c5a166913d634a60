from itertools import pairwise, product
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from app import outcome
from app.arms import Arms
from app.metrics import ARMS, BUCKETS, SOURCES, Metrics
from tests.app.conftest import Door

RULES = Path(__file__).parents[2] / "monitoring" / "rules"
STEP = {"rollout", "release", "step", "arm", "source"}
SERVED = {  # what others build upon: names, and what they can be told apart by
    "http_requests_total": {"method", "handler", "status"},
    "model_latency_seconds": set[str](),
    "sluice_started_total": STEP,
    "sluice_requests_total": STEP | {"outcome"},
    "sluice_slow_total": STEP | {"kind"},
    "sluice_checked_total": STEP | {"check", "result"},
    "sluice_rescues_total": {"rollout", "release", "step", "result"},
    "sluice_ttft_seconds": STEP - {"step"},
    "sluice_tpot_seconds": STEP - {"step"},
    "sluice_request_seconds": STEP - {"step"},
    "sluice_tokens_total": {"rollout", "release", "arm", "direction"},
    "sluice_inflight_requests": {"arm"},
    "sluice_oldest_request_seconds": {"arm"},
    "sluice_step_started_seconds": {"rollout", "release", "step"},
    "sluice_feedback_total": {"rating"},
}
RECORDED = ("tokens_per_second", "gpu_usage_percent", "llm:requests_waiting", "llm:kv_cache_usage:ratio")


def arms(release: str = "v2-r2", weight: float = 0) -> Arms:
    return Arms("n/llm", release, "v2", True, weight, ("http://s",), ("http://c",))


def children(metrics: Metrics, name: str, **labels: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def test_every_child_of_a_step_exists_at_0_from_its_start() -> None:
    metrics = Metrics(60)
    metrics.begin(arms())
    metrics.begin(arms(weight=5))

    for step, arm, source in product(("0", "5"), ARMS, SOURCES):
        where = {"step": step, "arm": arm, "source": source}
        assert list(children(metrics, "sluice_started_total", **where).values()) == [0]
        assert list(children(metrics, "sluice_requests_total", **where).values()) == [0] * len(outcome.ALL)
        assert list(children(metrics, "sluice_slow_total", **where).values()) == [0, 0]


def test_a_step_that_comes_again_keeps_its_clock_and_counts() -> None:
    metrics = Metrics(60)
    metrics.begin(arms(weight=1))
    began = children(metrics, "sluice_step_started_seconds", step="1")
    metrics.started.labels("n/llm", "v2-r2", "1", "canary", "user").inc()
    metrics.begin(arms(weight=5))
    metrics.begin(arms(weight=1))

    assert children(metrics, "sluice_step_started_seconds", step="1") == began
    assert sum(children(metrics, "sluice_started_total", step="1").values()) == 1


def test_children_of_a_release_that_is_over_go_after_a_while() -> None:
    metrics = Metrics(0)
    metrics.begin(arms("v2-r2"))
    metrics.begin(arms("v3-r3"))

    assert not children(metrics, "sluice_requests_total", release="v2-r2")
    assert not children(metrics, "sluice_step_started_seconds", release="v2-r2")
    assert children(metrics, "sluice_requests_total", release="v3-r3")


def test_children_of_a_release_that_is_over_stay_for_the_last_scrape() -> None:
    metrics = Metrics(60)
    metrics.begin(arms("v2-r2"))
    metrics.begin(arms("v3-r3"))

    assert children(metrics, "sluice_requests_total", release="v2-r2")


def test_both_arms_weights_are_shown() -> None:
    metrics = Metrics(60)
    metrics.begin(arms(weight=5))

    assert sorted(children(metrics, "sluice_weight").values()) == [5, 95]


def test_buckets_grow_by_a_quarter_from_5_ms_to_60_s() -> None:
    assert BUCKETS[0] == 0.005
    assert 58 < BUCKETS[-1] < 75
    assert all(1.24 < after / before < 1.26 for before, after in pairwise(BUCKETS))


async def test_the_names_that_others_build_upon_are_served_with_their_labels(door: Door) -> None:
    await door.post("/v1/chat/completions", {"stream": True})
    served: dict[str, set[str]] = {}
    for family in text_string_to_metric_families((await door.get("/metrics"))[1].decode()):
        name = family.name + "_total" * (family.type == "counter")
        served[name] = set().union(*(sample.labels for sample in family.samples)) - {"le"}

    assert {name: served.get(name) for name in SERVED} == SERVED


def test_the_names_that_rules_record_are_there() -> None:
    groups = [group for file in RULES.glob("*.yaml") for group in yaml.safe_load(file.read_text())["groups"]]
    recorded = {rule.get("record") for group in groups for rule in group["rules"]}

    assert set(RECORDED) <= recorded
