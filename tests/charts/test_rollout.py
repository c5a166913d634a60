from typing import Any

import pytest

GATES = ["llm-answers", "llm-backstop", "llm-bad-share", "llm-no-data", "llm-slow-ttft"]
WATCHES = ["llm-backstop-watch", "llm-bad-share-watch", "llm-slow-ttft-watch"]


def kinds(steps: list[Any]) -> list[Any]:
    return ["analysis" if "analysis" in step else step for step in steps]


def args(analysis: Any) -> dict[str, Any]:
    return {arg["name"]: arg.get("value") or arg["valueFrom"]["fieldRef"]["fieldPath"] for arg in analysis["args"]}


def names(analysis: Any) -> list[str]:
    return sorted(template["templateName"] for template in analysis["templates"])


def canary(chart: Any, **values: Any) -> Any:
    return chart.render(**values).one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]


def judging(steps: list[Any]) -> list[Any]:
    """The analyses of the engine itself: the first one waits for the gateway."""
    return [step["analysis"] for step in steps if "analysis" in step][1:]


def test_probed_pod_outlives_the_first_users_step(chart):
    assert kinds(canary(chart)["steps"])[1:] == [
        {"setCanaryScale": {"replicas": 1}},
        {"setWeight": 0},
        "analysis",
        {"setWeight": 1},
        {"setCanaryScale": {"matchTrafficWeight": True}},
        "analysis",
        {"setWeight": 5},
        "analysis",
        {"setWeight": 25},
        "analysis",
    ]


def test_every_step_is_judged_by_every_gate(chart):
    analyses = judging(canary(chart)["steps"])
    assert [names(analysis) for analysis in analyses] == [GATES] * 4
    assert [args(analysis)["step"] for analysis in analyses] == ["0", "1", "5", "25"]


def test_background_analysis_only_watches(chart):
    strategy = canary(chart)
    assert names(strategy["analysis"]) == WATCHES
    assert "startingStep" not in strategy["analysis"]


def test_gates_know_which_attempt_they_judge(chart):
    known = args(judging(canary(chart)["steps"])[0])
    assert known["rollout"] == "demo/llm-engine"
    assert known["version"] == "metadata.annotations['sluice.dev/version']"
    assert known["revision"] == "metadata.annotations['rollout.argoproj.io/revision']"


def test_an_arg_is_given_for_all_that_a_template_declares(chart):
    rendered = chart.render()
    strategy = rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]
    for analysis in [strategy["analysis"], *(s["analysis"] for s in strategy["steps"] if "analysis" in s)]:
        for name in names(analysis):
            given = rendered.one("AnalysisTemplate", name)["spec"]["args"]
            declared = {arg["name"] for arg in given if "value" not in arg}
            assert declared <= set(args(analysis)), name


def test_limits_count_looks_until_the_time_is_over(chart):
    pace = {
        "interval": 7,
        "undecided": 100,
        "noData": 50,
        "steps": [{"weight": 0, "minimum": 20}, {"weight": 9, "minimum": 0}],
    }
    known = [args(analysis) for analysis in judging(canary(chart, rollouts=pace)["steps"])]
    assert [(k["undecided-checks"], k["no-data-checks"]) for k in known] == [("18", "8"), ("15", "8")]
    assert known[0]["interval"] == "7s"


def test_no_limit_reaches_the_count_even_at_the_slowest_pace(chart):
    longest = {"interval": 1, "undecided": 259200, "steps": [{"weight": w, "minimum": 604800} for w in (0, 1)]}
    rendered = chart.render(rollouts=longest)
    steps = rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]["steps"]
    known = args(steps[0]["analysis"]) | args(judging(steps)[0])
    for template in rendered.all("AnalysisTemplate"):
        for metric in template["spec"]["metrics"]:
            limit = str(metric.get("failureLimit", 0)).removeprefix("{{args.").removesuffix("}}")
            if isinstance(metric.get("count"), int):
                allowed = int(known.get(limit, limit)) + int(metric.get("consecutiveSuccessLimit", 0))
                assert int(metric["count"]) >= allowed, metric["name"]


@pytest.mark.parametrize(("weights", "why"), [([1, 5], "start with weight 0"), ([0, 5, 5], "does not grow")])
def test_steps_that_would_skip_the_probes_or_shrink_are_refused(chart, weights, why):
    with pytest.raises(Exception, match=why):
        chart.render(rollouts={"steps": [{"weight": weight, "minimum": 1} for weight in weights]})


def test_blue_green_is_decided_by_the_probes_before_any_user(chart):
    rendered = chart.render(strategy="blueGreen")
    strategy = rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["blueGreen"]
    assert (strategy["activeService"], strategy["previewService"]) == ("llm-engine-stable", "llm-engine-canary")
    assert strategy["autoPromotionEnabled"] is True
    assert names(strategy["prePromotionAnalysis"]) == sorted([*GATES, "llm-gateway-first"])
    assert args(strategy["prePromotionAnalysis"])["step"] == "0"
    assert rendered.all("TraefikService") == []


def test_a_blue_green_is_watched_after_its_switch_by_what_can_only_fail_and_for_a_bounded_time(chart):
    rendered = chart.render(strategy="blueGreen", rollouts={"switchWatchSeconds": 95, "interval": 10})
    after = rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["blueGreen"]["postPromotionAnalysis"]
    assert names(after) == WATCHES
    assert args(after)["checks"] == "10"
    assert "step" not in args(after)
    for name in names(after):
        spec = rendered.one("AnalysisTemplate", name)["spec"]
        assert {arg["name"] for arg in spec["args"]} == set(args(after)), name
        for metric in spec["metrics"]:  # at `count` Argo calls a metric successful, unless it has failed before
            assert (metric["count"], metric["failureLimit"]) == ("{{args.checks}}", 0), name
            assert metric["inconclusiveLimit"] == metric["count"], name  # Argo refuses a limit above it
            assert "consecutiveSuccessLimit" not in metric, name
    off = chart.render(strategy="blueGreen", rollouts={"switchWatchSeconds": 0})
    assert "postPromotionAnalysis" not in off.one("Rollout", "llm-engine")["spec"]["strategy"]["blueGreen"]


def test_own_router_replaces_the_weights_object(chart):
    istio = {"istio": {"virtualService": {"name": "llm"}}}
    rendered = chart.render(trafficRouting=istio)
    assert rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]["trafficRouting"] == istio
    assert rendered.all("TraefikService") == []


def test_weights_object_starts_with_everything_on_stable(chart):
    rendered = chart.render()
    routing = rendered.one("Rollout", "llm-engine")["spec"]["strategy"]["canary"]["trafficRouting"]
    weights = rendered.one("TraefikService", routing["traefik"]["weightedTraefikServiceName"])
    assert {s["name"]: s["weight"] for s in weights["spec"]["weighted"]["services"]} == {
        "llm-engine-stable": 100,
        "llm-engine-canary": 0,
    }


def test_another_version_of_the_same_content_starts_no_pod(chart, release):
    before = chart.render(release=release)
    after = chart.render(release=release | {"version": "v1.0.1", "gates": "e" * 64})
    for kind, name in [("Rollout", "llm-engine"), ("Rollout", "llm-gateway"), ("Deployment", "llm-prober")]:
        assert before.one(kind, name)["spec"]["template"] == after.one(kind, name)["spec"]["template"]
    parts = [
        [one.split("\n  template:\n", 1)[1] for one in text.split("\n---") if "\nkind: Rollout\n" in one]
        for text in (before.text, after.text)
    ]
    assert parts[0] == parts[1]
    assert after.one("Rollout", "llm-engine")["metadata"]["annotations"]["sluice.dev/version"] == "v1.0.1"


def test_verdicts_are_subscribed_only_with_a_channel(chart):
    def subscribed(**values: Any) -> list[str]:
        found = chart.render(**values).one("Rollout", "llm-engine")["metadata"]["annotations"]
        return sorted(f"{key}={value}" for key, value in found.items() if key.startswith("notifications."))

    assert subscribed() == []
    assert "notifications.argoproj.io/subscribe.on-rollout-aborted.slack=ops" in subscribed(
        notifications={"slackChannel": "ops"}
    )


def test_abort_keeps_the_pods_for_the_streams_they_hold(chart):
    assert canary(chart)["abortScaleDownDelaySeconds"] == 5
