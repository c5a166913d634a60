import json
import subprocess
from typing import Any

import promql_parser
import pytest

from tests.charts.conftest import HelmRefused

WINDOW = {"days": [1, 2, 3, 4], "from": 8, "to": 15}
WATCHES = ["llm-backstop-watch", "llm-bad-share-watch", "llm-slow-ttft-watch"]


def steps_with(**last: Any) -> dict[str, Any]:
    return {"steps": [{"weight": 0, "minimum": 1}, {"weight": 25, "minimum": 1, **last}]}


def strategy(rendered: Any, kind: str = "canary") -> Any:
    return rendered.one("Rollout", "llm-engine")["spec"]["strategy"][kind]


def after_the_last_gates(rendered: Any) -> list[Any]:
    return list(strategy(rendered)["steps"][7:])


def test_a_step_without_holds_ends_with_its_gates(chart):
    rendered = chart.render(rollouts=steps_with())
    assert after_the_last_gates(rendered) == []
    assert not [one for one in rendered.all("AnalysisTemplate") if one["metadata"]["name"] == "llm-window"]


def test_bake_person_and_window_come_between_the_pass_and_the_next_weight(chart):
    rendered = chart.render(rollouts=steps_with(bake=3600, approval=True, window=WINDOW))
    bake, person, window = after_the_last_gates(rendered)
    assert bake == {"pause": {"duration": "3600s"}}
    assert person == {"pause": {}}
    assert window["analysis"]["templates"] == [{"templateName": "llm-window"}]
    assert {template["templateName"] for template in strategy(rendered)["analysis"]["templates"]} == set(WATCHES)


def test_a_window_only_ever_waits(chart):
    rendered = chart.render(rollouts=steps_with(window=WINDOW))
    [window] = after_the_last_gates(rendered)
    known = {one["name"]: one["value"] for one in window["analysis"]["args"]}
    promql_parser.parse(known["open"])
    template = rendered.one("AnalysisTemplate", "llm-window")["spec"]
    assert {one["name"] for one in template["args"]} == set(known)
    assert known["open"].startswith("(hour() >= bool 8) * (hour() < bool 15) * ((day_of_week() == bool 1) + ")
    [metric] = template["metrics"]
    assert metric["inconclusiveLimit"] == metric["count"] == 1000000
    assert metric["failureCondition"].endswith("result[0] < 0")
    assert metric["provider"]["prometheus"]["query"] == "{{args.open}}"


@pytest.mark.parametrize(
    "wrong", [{"from": 15, "to": 8}, {"from": 8, "to": 8}, {"days": [7]}, {"days": []}, {"to": 25}]
)
def test_a_window_that_never_opens_is_refused(chart, wrong):
    with pytest.raises(HelmRefused, match=r"window|days|/to"):
        chart.render(rollouts=steps_with(window=WINDOW | wrong))


def test_a_person_switches_a_blue_green(chart):
    rendered = chart.render(strategy="blueGreen", rollouts=steps_with(approval=True))
    assert strategy(rendered, "blueGreen")["autoPromotionEnabled"] is False


@pytest.mark.parametrize("hold", [{"bake": 10}, {"window": WINDOW}])
def test_what_holds_a_weight_is_refused_where_there_is_none(chart, hold):
    with pytest.raises(HelmRefused, match="blueGreen has approval"):
        chart.render(strategy="blueGreen", rollouts=steps_with(**hold))


def test_the_fast_way_has_no_steps_and_the_fail_only_gates_watch_it(chart):
    rendered = chart.render(rollouts={"fast": True, "fastWatchSeconds": 45})
    assert strategy(rendered)["steps"] == [{"setWeight": 100}, {"pause": {"duration": "45s"}}]
    assert sorted(one["templateName"] for one in strategy(rendered)["analysis"]["templates"]) == WATCHES
    rollout = rendered.one("Rollout", "llm-engine")
    assert "rollbackWindow" not in rollout["spec"]  # Argo would skip the watching analysis too
    assert rollout["metadata"]["annotations"]["sluice.dev/fast"] == "true"


def test_who_wants_it_unwatched_gets_argos_own_window(chart):
    rendered = chart.render(rollouts={"fast": True, "fastWatchSeconds": 0, "rollbackRevisions": 3})
    assert rendered.one("Rollout", "llm-engine")["spec"]["rollbackWindow"] == {"revisions": 3}
    assert strategy(rendered)["steps"] == [{"setWeight": 100}]


def test_argo_never_takes_a_stopped_release_for_a_known_one(chart):
    """Its window counts every older ReplicaSet, so it is there on the fast way alone."""
    rollout = chart.render(rollouts={"fastWatchSeconds": 0}).one("Rollout", "llm-engine")
    assert "rollbackWindow" not in rollout["spec"]
    assert "sluice.dev/fast" not in rollout["metadata"]["annotations"]


def test_the_fast_way_of_a_blue_green_is_the_switch_and_a_watch(chart):
    found = strategy(chart.render(strategy="blueGreen", rollouts={"fast": True, "fastWatchSeconds": 45}), "blueGreen")
    assert found["autoPromotionEnabled"] is True
    assert "prePromotionAnalysis" not in found
    after = found["postPromotionAnalysis"]
    assert sorted(one["templateName"] for one in after["templates"]) == WATCHES
    assert {one["name"]: one["value"] for one in after["args"] if one["name"] == "checks"} == {"checks": "5"}


def test_the_pods_do_not_know_which_way_they_came(chart):
    slow, fast = (chart.render(rollouts={"fast": fast}).one("Rollout", "llm-engine") for fast in (False, True))
    assert slow["spec"]["template"] == fast["spec"]["template"]


def test_a_window_is_open_on_its_days_within_its_hours(chart, tmp_path):
    """By Prometheus' own evaluation; its tests begin on a Thursday (day 4) at midnight."""
    [step] = after_the_last_gates(chart.render(rollouts=steps_with(window={"days": [4], "from": 8, "to": 15})))
    [expression] = [one["value"] for one in step["analysis"]["args"] if one["name"] == "open"]
    seen = {"7h59m": 0, "8h": 1, "14h59m": 1, "15h": 0, "33h": 0, "177h": 1}
    cases = [
        {"expr": expression, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}]}
        for at, value in seen.items()
    ]
    file = tmp_path / "window.test.yaml"
    file.write_text(json.dumps({"tests": [{"interval": "1h", "promql_expr_test": cases}]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
