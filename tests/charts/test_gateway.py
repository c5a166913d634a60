"""The gateway's own release: one pod first, judged, then the rest; and the engine's waits for it."""

from typing import Any

import pytest

Args = dict[str, str]


def spec(chart: Any, **values: Any) -> Any:
    return chart.render(**values).one("Rollout", "llm-gateway")["spec"]


def args(analysis: Any) -> Args:
    return {arg["name"]: arg.get("value") or str(arg["valueFrom"]) for arg in analysis["args"]}


def names(analysis: Any) -> list[str]:
    return sorted(template["templateName"] for template in analysis["templates"])


def test_one_pod_is_judged_before_the_rest_and_none_goes_before_its_successor_is_ready(chart):
    canary = spec(chart)["strategy"]["canary"]
    assert [next(iter(step)) for step in canary["steps"]] == ["setWeight", "analysis"]
    assert canary["steps"][0] == {"setWeight": 1}
    assert (canary["maxSurge"], canary["maxUnavailable"]) == (1, 0)
    assert "trafficRouting" not in canary


def test_its_gates_are_its_own(chart):
    canary = spec(chart)["strategy"]["canary"]
    assert names(canary["steps"][1]["analysis"]) == [
        "llm-added-latency",
        "llm-backstop",
        "llm-bad-share",
        "llm-no-data",
    ]
    assert names(canary["analysis"]) == [
        "llm-added-latency-watch",
        "llm-backstop-watch",
        "llm-bad-share-watch",
        "llm-user-errors-watch",
    ]
    known = args(canary["steps"][1]["analysis"])
    assert (known["rollout"], known["step"]) == ("demo/llm-gateway", "0")


def test_it_is_judged_at_its_own_pace(chart):
    pace = {"interval": 10, "undecided": 5000, "gateway": {"minimum": 30, "undecided": 70, "noData": 20}}
    known = args(spec(chart, rollouts=pace)["strategy"]["canary"]["steps"][1]["analysis"])
    assert (known["minimum"], known["undecided-checks"], known["no-data-checks"]) == ("30", "10", "2")


def test_an_arg_is_given_for_all_that_a_template_declares(chart):
    rendered = chart.render()
    canary = rendered.one("Rollout", "llm-gateway")["spec"]["strategy"]["canary"]
    for analysis in (canary["analysis"], canary["steps"][1]["analysis"]):
        for name in names(analysis):
            given = rendered.one("AnalysisTemplate", name)["spec"]["args"]
            declared = {arg["name"] for arg in given if "value" not in arg}
            assert declared <= set(args(analysis)), name


def test_a_gateway_that_never_starts_ends_its_release(chart):
    found = spec(chart, gateway={"startSeconds": 40})
    assert (found["progressDeadlineSeconds"], found["progressDeadlineAbort"]) == (40, True)


@pytest.mark.parametrize("env", ["dev", "lab", "prod", "staging"])
def test_the_engine_waits_for_it_before_it_has_any_pod(chart, env):
    first = chart.render(env).one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]["steps"][0]
    assert names(first["analysis"]) == ["llm-gateway-first"]
    known = args(first["analysis"])
    assert (known["namespace"], known["gateway"]) == ("demo", "llm-gateway")


def test_the_engine_waits_as_long_as_the_gateway_may_take(chart):
    pace = {"interval": 10, "settle": 20, "gateway": {"minimum": 30, "undecided": 70, "noData": 20}}
    rendered = chart.render(gateway={"replicas": 3, "startSeconds": 50}, rollouts=pace)
    first = rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]["steps"][0]
    assert int(args(first["analysis"])["gateway-checks"]) == (4 * 50 + 30 + 70 + 20) // 10
    declared = {arg["name"] for arg in rendered.one("AnalysisTemplate", "llm-gateway-first")["spec"]["args"]}
    assert declared == set(args(first["analysis"]))


def test_both_parts_tell_their_verdict_because_either_may_be_the_only_one_that_a_release_changes(chart):
    rendered = chart.render(delivery={"tellsForge": True})

    def told(name: str) -> list[str]:
        notes = rendered.one("Rollout", name)["metadata"]["annotations"]
        return [key.split("subscribe.")[1] for key in notes if key.endswith(".forge")]

    verdicts = [f"{name}.forge" for name in ("on-release-promoted", "on-install-failed", "on-rollout-aborted")]
    assert told("llm-engine") == told("llm-gateway") == verdicts
    parts = [rendered.one("Rollout", name)["metadata"]["labels"] for name in ("llm-engine", "llm-gateway")]
    assert [one["app.kubernetes.io/component"] for one in parts] == ["engine", "gateway"]  # what the message reads


def test_the_prober_is_told_whose_pods_to_probe_and_is_scraped(chart):
    template = chart.render().one("Deployment", "llm-prober")["spec"]["template"]
    env = {entry["name"]: entry["value"] for entry in template["spec"]["containers"][0]["env"]}
    assert (env["SLUICE_NAMESPACE"], env["SLUICE_GATEWAY_ROLLOUT"]) == ("demo", "llm-gateway")
    assert template["metadata"]["annotations"]["prometheus.io/port"] == env["SLUICE_PROBER_PORT"]


def test_on_the_fast_way_both_go_at_once_and_the_fail_only_gates_watch(chart):
    rendered = chart.render(rollouts={"fast": True})
    canary = rendered.one("Rollout", "llm-gateway")["spec"]["strategy"]["canary"]
    assert canary["steps"] == [{"setWeight": 100}]
    assert all(name.endswith("-watch") for name in names(canary["analysis"]))
    engine = rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]["steps"]
    assert not [step for step in engine if "analysis" in step]
