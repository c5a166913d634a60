"""The AnalysisTemplates: what their queries answer, in promtool, and that no condition is one of the known traps."""

import re

import pytest

from rollouts import argo

ARGS = {
    "prometheus": "http://127.0.0.1:9090",
    "rollout": "demo/llm-engine",
    "version": "v1.2.0",
    "revision": "3",
    "interval": "10s",
    "step": "5",
    "minimum": "120",
    "undecided-checks": "30",
    "no-data-checks": "6",
    "quiet": "probes",
    "quiet-after": "180",
    "namespace": "demo",
    "gateway": "llm-gateway",
    "new-pods": "aaa",
    "old-pods": "bbb",
}
RELEASE = 'rollout="demo/llm-engine", release="v1.2.0-r3"'


def resolved(query: str, **changed: str) -> str:
    for name, value in (ARGS | {key.replace("_", "-"): value for key, value in changed.items()}).items():
        query = query.replace(f"{{{{args.{name}}}}}", value)
    assert "{{" not in query
    return query


def metrics(gates, template: str) -> dict[str, dict]:
    return {metric["name"]: metric for metric in argo.templates(gates)[template]["spec"]["metrics"]}


def query(gates, template: str, **changed: str) -> str:
    return resolved(metrics(gates, template)[template]["provider"]["prometheus"]["query"], **changed)


def step(
    probe: int | None,
    user: int | None,
    *,
    users: int = 500,
    name: str = "5",
    tripped: int = 0,
    stable: float = 0,
) -> dict[str, str]:
    """What is recorded of a step that began at 0 s: verdicts of both strata, judged user requests."""
    at = f'{RELEASE}, step="{name}"'
    series = {
        f"sluice_step_started_seconds{{{at}}}": "0x60",
        f'sluice:judged_ended{{{at}, arm="canary", source="user"}}': f"{users}x60",
        f'sluice:backstop{{{at}, source="user"}}': f"{tripped}x60",
        f'sluice:backstop{{{at}, source="probe"}}': "0x60",
        f'sluice:gate_stable_bad:ratio{{gate="bad-share", {at}, source="user"}}': f"{stable}x60",
        'sluice:quiet_stands{quiet="probes"}': "1x60",
        'sluice:quiet_stands{quiet="abort"}': "0x60",
    }
    for source, value in (("probe", probe), ("user", user)):
        if value is not None:
            series[f'sluice:gate_verdict{{gate="bad-share", {at}, source="{source}"}}'] = f"{value}x60"
    return series


def differences(promtool, series: dict[str, str], asked: str, value: float | None, at: str = "5m") -> str:
    promtool.rules = "groups: []"
    return promtool.differences(series, {asked: value}, at)


@pytest.mark.parametrize(
    ("probe", "user", "expected"),
    [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 0), (-1, 1, -1), (1, -1, -1), (1, None, None), (None, 1, None)],
)
def test_from_the_5_percent_step_on_both_strata_must_pass(promtool, gates, probe, user, expected):
    for name in ("5", "25"):
        series = step(probe, user, name=name)
        assert not differences(promtool, series, query(gates, "bad-share", step=name), expected)


@pytest.mark.parametrize("verdict", [1, 0, -1])
def test_the_verdict_on_the_answers_is_the_probers_for_this_release_alone(promtool, gates, verdict):
    series = {f"sluice_answers_verdict{{{RELEASE}}}": f"{verdict}x60"}
    other = {'sluice_answers_verdict{rollout="demo/llm-engine", release="v1.2.0-r4"}': f"{-verdict}x60"}
    assert not differences(promtool, series | other, query(gates, "answers"), verdict)
    assert not differences(promtool, other, query(gates, "answers"), None)


@pytest.mark.parametrize(("probe", "user", "expected"), [(1, 0, 1), (0, 1, 0), (1, -1, -1), (-1, 0, -1), (1, None, 1)])
def test_before_it_the_probes_pass_is_enough(promtool, gates, probe, user, expected):
    for name in ("0", "1"):
        series = step(probe, user, name=name)
        assert not differences(promtool, series, query(gates, "bad-share", step=name), expected)


def test_nothing_recorded_is_no_answer(promtool, gates):
    assert not differences(promtool, {}, query(gates, "bad-share"), None)


def test_a_pass_is_read_once_the_minimum_is_over(promtool, gates):
    asked = query(gates, "bad-share", minimum="120")
    assert not differences(promtool, step(1, 1), asked, 0, at="1m45s")
    assert not differences(promtool, step(1, 1), asked, 1, at="2m")


def test_a_fail_is_read_at_once(promtool, gates):
    assert not differences(promtool, step(1, -1), query(gates, "bad-share"), -1, at="15s")


def test_in_a_quiet_time_the_probes_pass_stands(promtool, gates):
    asked = query(gates, "bad-share", quiet_after="180")
    assert not differences(promtool, step(1, 0, users=199), asked, 0, at="2m45s")
    assert not differences(promtool, step(1, 0, users=199), asked, 1, at="3m")
    assert not differences(promtool, step(1, 0, users=200), asked, 0, at="3m")
    assert not differences(promtool, step(0, 0, users=199), asked, 0, at="3m")
    assert not differences(promtool, step(1, -1, users=199), asked, -1, at="3m")


def test_users_whom_stable_fails_too_are_no_quiet_time(promtool, gates):
    asked, limit = query(gates, "bad-share", quiet_after="180"), gates.gates["bad-share"].unacceptable
    assert not differences(promtool, step(1, 0, users=0, stable=limit), asked, 1)
    assert not differences(promtool, step(1, 0, users=0, stable=limit + 0.01), asked, 0)


def test_a_quiet_time_can_be_no_excuse(promtool, gates):
    assert not differences(promtool, step(1, 0, users=0), query(gates, "bad-share", quiet="abort"), 0)
    assert not differences(promtool, step(1, 1, users=199), query(gates, "bad-share", quiet="abort"), 1)


def test_the_watch_fails_for_any_step_of_the_release(promtool, gates):
    asked = query_of_watch(gates, "bad-share-watch")
    assert not differences(promtool, step(1, 1, name="1") | step(1, 0), asked, 0)
    assert not differences(promtool, step(1, -1, name="1") | step(1, 0), asked, -1)


def query_of_watch(gates, template: str) -> str:
    return resolved(metrics(gates, template)[template]["provider"]["prometheus"]["query"])


def test_the_watch_is_not_moved_by_another_attempt(promtool, gates):
    other = {name.replace("-r3", "-r2"): value for name, value in step(1, -1).items()}
    assert not differences(promtool, other | step(1, 1), query_of_watch(gates, "bad-share-watch"), 1)


def test_the_backstop_fails_at_once_and_passes_after_the_minimum(promtool, gates):
    asked = query(gates, "backstop")
    assert not differences(promtool, step(1, 1, tripped=1), asked, -1, at="15s")
    assert not differences(promtool, step(1, 1), asked, 0, at="1m45s")
    assert not differences(promtool, step(1, 1), asked, 1, at="2m")
    assert not differences(promtool, step(1, 1, tripped=1), query_of_watch(gates, "backstop-watch"), -1)
    assert not differences(promtool, {}, asked, None)


def test_data_are_requests_of_the_canary_that_ended_whatever_their_outcome(promtool, gates):
    name = f'sluice:ended_any{{{RELEASE}, step="5", source="probe", arm="%s"}}'
    asked = query(gates, "no-data")
    assert not differences(promtool, {name % "canary": "0x60", name % "stable": "50x60"}, asked, 0)
    assert not differences(promtool, {name % "canary": "1x60"}, asked, 1)
    assert not differences(promtool, {name % "stable": "50x60"}, asked, None)


@pytest.mark.parametrize(
    ("phase", "expected"),
    [("Completed", 1), ("Progressing", 0), ("Paused", 0), ("Abort", -1), ("Timeout", -1), ("InvalidSpec", -1)],
)
@pytest.mark.parametrize("label", ["namespace", "exported_namespace"])
def test_the_engine_begins_after_the_gateway_and_never_after_one_that_was_stopped(
    promtool, gates, label, phase, expected
):
    ours = f'rollout_info{{{label}="demo", name="llm-gateway", phase="{phase}"}}'
    others = [
        'rollout_info{namespace="shop", name="llm-gateway", phase="Completed"}',
        'rollout_info{namespace="demo", name="llm-engine", phase="Abort"}',
    ]
    asked = query(gates, "gateway-first")
    assert not differences(promtool, dict.fromkeys([ours, *others], "1x60"), asked, expected)
    assert not differences(promtool, dict.fromkeys(others, "1x60"), asked, None)


def test_a_phase_of_before_the_hand_over_is_not_read(gates):
    assert {metric["initialDelay"] for metric in metrics(gates, "gateway-first").values()} == {"{{args.settle}}"}


def of_pods(template: str, status: str, each: str) -> dict[str, str]:
    pod = f"llm-gateway-{template}-x1"
    labels = f'namespace="demo", pod="{pod}", handler="/v1/chat/completions", status="{status}"'
    return {f"http_requests_total{{{labels}}}": each}


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ({"200": "10x60", "500": "10x60"}, {"200": "0+30x60"}, -1),
        ({"200": "10x60", "500": "10x60"}, {"200": "0+30x60", "500": "0+3x60"}, 0),
        ({"200": "9x60", "500": "10x60"}, {"200": "0+30x60"}, 0),
        ({"200": "90x60", "500": "10x60"}, {"200": "0+30x60"}, 0),
        ({"200": "90x60"}, {"200": "0+30x60"}, 0),
        ({"500": "20x60"}, {"200": "5x60"}, 0),
        ({}, {"200": "0+30x60"}, None),
    ],
    ids=[
        "fails",
        "the old ones fail too",
        "too few",
        "a tenth is left to the gates",
        "no 5xx",
        "old idle",
        "not asked",
    ],
)
def test_a_new_pods_own_5xx_fail_its_release_while_the_old_ones_have_none(promtool, gates, new, old, expected):
    series = {}
    for template, counts in (("aaa", new), ("bbb", old)):
        for status, values in counts.items():
            series |= of_pods(template, status, values)
    asked = query_of_watch(gates, "user-errors-watch")
    assert not differences(promtool, series, asked, expected)


def test_every_condition_is_guarded(gates):
    for template in argo.templates(gates):
        for metric in metrics(gates, template).values():
            conditions = [metric[key] for key in ("successCondition", "failureCondition") if key in metric]
            assert all(condition.startswith(f"{argo.GUARD} && result[0] ") for condition in conditions), metric["name"]


def test_only_the_limits_have_a_success_condition_alone(gates):
    alone = {
        name
        for template in argo.templates(gates)
        for name, metric in metrics(gates, template).items()
        if "failureCondition" not in metric
    }
    undecided = {f"{gate}-undecided" for gate in ("answers", "backstop", "gateway-first", *gates.gates)}
    assert alone == {"no-data"} | undecided
    assert not any(
        "successCondition" not in metric
        for template in argo.templates(gates)
        for metric in metrics(gates, template).values()
    )


def test_an_inline_metric_has_a_count_that_argo_accepts(gates):
    for template in argo.templates(gates):
        for metric in metrics(gates, template).values():
            if template.endswith("-watch"):
                [checks] = [arg for arg in argo.templates(gates)[template]["spec"]["args"] if arg["name"] == "checks"]
                assert metric["count"] == metric["inconclusiveLimit"] == "{{args.checks}}", (
                    "Argo refuses a smaller count"
                )
                assert int(checks["value"]) == argo.ENDLESS, "a background metric runs until the release is over"
                assert "consecutiveSuccessLimit" not in metric, "it may not end while the release goes on"
            else:
                assert metric["count"] >= metric.get("inconclusiveLimit", 0)
                assert metric["consecutiveSuccessLimit"] == 1


def test_a_prometheus_that_restarts_in_20_seconds_aborts_nothing(gates):
    """Argo asks again 10 s after an error, whatever the interval: at most 3 errors in a row."""
    limits = [m["consecutiveErrorLimit"] for t in argo.templates(gates) for m in metrics(gates, t).values()]
    assert min(limits) >= 5


def test_a_template_declares_the_arguments_it_uses(gates):
    for name, document in argo.templates(gates).items():
        declared = {arg["name"] for arg in document["spec"]["args"]}
        used = set(re.findall(r"\{\{args\.([a-z-]+)\}\}", str(document["spec"]["metrics"])))
        assert used == declared, name


def test_no_query_hides_an_absent_series(gates):
    for template in argo.templates(gates):
        for metric in metrics(gates, template).values():
            assert "or vector(0)" not in metric["provider"]["prometheus"]["query"]


def test_templates_of_one_step_share_no_metric_name(gates):
    names = [name for template in argo.templates(gates) for name in metrics(gates, template)]
    assert len(names) == len(set(names))
