"""What Argo Rollouts tells Slack. Helm has the same template language and functions, so it renders the messages."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

CONFIG = YAML(typ="safe").load(Path(__file__).parents[2] / "monitoring/notifications.yaml")
DATA = CONFIG["data"]
LOADED = {name: YAML(typ="safe").load(text) for name, text in DATA.items()}
NOTES = {"sluice.dev/version": "v1.3.0", "rollout.argoproj.io/revision": "3"}
FAILED = {
    "metadata": {"name": "llm-engine-abc-3-7"},
    "status": {
        "phase": "Failed",
        "message": 'Metric "bad-share" assessed Failed due to failed (1) > failureLimit (0)',
        "metricResults": [
            {"name": "slow-ttft", "phase": "Successful"},
            {"name": "bad-share", "phase": "Failed", "message": "too many"},
        ],
    },
}


def rollout(**status: object) -> dict:
    weights = {"canary": {"weight": 5}, "stable": {"weight": 95}}
    meta = {"namespace": "demo", "name": "llm-engine", "annotations": dict(NOTES)}
    return {"metadata": meta, "status": {"canary": {"weights": weights}} | status}


@pytest.fixture
def message(helm, tmp_path):
    """The message of one template, for a Rollout and its analysis runs as the controller hands them over."""

    def of(template: str, shown: dict, runs: list | None = None, part: str = "") -> str:
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 0.0.1\n")
        found = LOADED[f"template.{template}"]
        text = found["webhook"][part]["body"] if part else found["message"]
        (tmp_path / "templates/_said.tpl").write_text(
            f'{{{{ define "said" }}}}{{{{ with .Values }}}}{text}{{{{ end }}}}{{{{ end }}}}'
        )
        (tmp_path / "templates/said.yaml").write_text('kind: Message\nsaid: {{ include "said" . | toJson }}\n')
        (tmp_path / "values.yaml").write_text(json.dumps({"rollout": shown, "analysisRuns": runs}))
        done = subprocess.run([helm, "template", "x", tmp_path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said = str(YAML(typ="safe").load(done.stdout)["said"])
        assert "<no value>" not in said
        assert "<nil>" not in said
        return said

    return of


def test_an_abort_says_rollout_version_step_and_the_gate(message):
    done = {"metadata": {"name": "llm-engine-abc-3-5"}, "status": {"phase": "Successful"}}
    assert message("release-aborted", rollout(), [FAILED, done]) == (
        "ABORTED at the 5 % step: v1.3.0 of demo/llm-engine (revision 3). Stable answers everything.\n"
        'Reason: Metric "bad-share" assessed Failed due to failed (1) > failureLimit (0) (llm-engine-abc-3-7)'
    )


def test_an_abort_by_hand_gives_the_annotated_reason(message):
    shown = rollout(abort=True)
    shown["metadata"]["annotations"]["sluice.dev/abort-reason"] = "wrong prompt"
    assert message("release-aborted", shown).endswith("Reason: wrong prompt")
    assert message("release-aborted", rollout(abort=True)).endswith("Reason: aborted by hand, no reason given")


def test_the_reason_of_an_earlier_abort_by_hand_is_not_taken_for_this_ones(message):
    shown = rollout()
    shown["metadata"]["annotations"]["sluice.dev/abort-reason"] = "wrong prompt"
    assert message("release-aborted", shown).endswith("see the Rollout's status.message")
    assert "bad-share" in message("release-aborted", shown, [FAILED])


def test_a_rollout_without_weights_or_annotations_breaks_no_message(message):
    bare = {"metadata": {"namespace": "demo", "name": "llm-engine"}, "status": {}}
    for template in [name.removeprefix("template.") for name in DATA if name.startswith("template.")]:
        said = message(template, bare, [{"metadata": {"name": "run"}}])
        assert "demo/llm-engine" in said, template
        assert "step" not in said, template


def test_start_promotion_and_waiting_are_told(message):
    assert message("release-started", rollout()) == "Release v1.3.0 of demo/llm-engine (revision 3) starts."
    assert message("release-promoted", rollout()).startswith("PROMOTED: v1.3.0 of demo/llm-engine (revision 3) ")
    assert message("analysis-inconclusive", rollout()).startswith("WAITING at the 5 % step: v1.3.0 ")
    assert message("release-held", rollout()).startswith("HELD at the 5 % step: v1.3.0 ")


LATE = "ProgressDeadlineExceeded: ReplicaSet has timed out progressing."
AT_ONCE = [{"type": "Completed", "status": "True"}, {"type": "Progressing", "status": "True"}]
TOO_LATE = [AT_ONCE[0], {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
HEALTHY = [*AT_ONCE, {"type": "Healthy", "status": "True"}]
ILL = [*TOO_LATE, {"type": "Healthy", "status": "False"}]
STATES = {  # a Rollout as the controller leaves it: phase, stable and current template, conditions, generation it saw
    "first install, no pod yet": ("Progressing", "a", "a", AT_ONCE, "4"),
    "first install, ready": ("Healthy", "a", "a", HEALTHY, "4"),
    "first install, too late": ("Degraded", "a", "a", TOO_LATE, "4"),
    "first install, a template not seen yet": ("Degraded", None, None, [{"type": "InvalidSpec"}], "4"),
    "canary": ("Progressing", "a", "b", ILL, "4"),
    "canary, late and stopped": ("Degraded", "a", "b", ILL, "4"),
    "the next spec, not looked at": ("Healthy", "a", "a", HEALTHY, "3"),
    "promoted": ("Healthy", "b", "b", HEALTHY, "4"),
    "promoted, and later down": ("Degraded", "b", "b", ILL, "4"),
}


def told(trigger: str, state: str) -> bool:
    """What Argo finds of a trigger's `when`; its language and Jinja's differ in any(…) and none(…) alone, here."""
    phase, stable, current, conditions, observed = STATES[state]
    status = {"phase": phase, "stableRS": stable, "currentPodHash": current, "conditions": conditions}
    [asked] = LOADED[f"trigger.{trigger}"]
    text = asked["when"]
    for word, sign in (("any", "in"), ("none", "not in")):
        there = rf"('\3' {sign} \1 | map(attribute='\2', default='') | list)"
        text = re.sub(word + r"\((\S+), \{\.(\w+) == '(\w+)'\}\)", there, text)
    found = Environment(undefined=StrictUndefined, autoescape=True).compile_expression(text, undefined_to_none=False)
    shown = {"metadata": {"generation": 4}, "status": status | {"observedGeneration": observed}}
    return bool(found(rollout=shown, string=str))


def test_promoted_is_told_of_a_healthy_rollout_alone():
    assert [state for state in STATES if told("on-release-promoted", state)] == ["first install, ready", "promoted"]


def test_a_first_install_that_never_served_is_told_and_a_later_outage_is_no_verdict():
    assert [state for state in STATES if told("on-install-failed", state)] == ["first install, too late"]


def test_what_is_asked_of_the_rollout_is_told_once_per_revision_and_events_as_they_come():
    for name in [name for name in DATA if name.startswith("trigger.")]:
        [asked] = LOADED[name]
        event = name.startswith(("trigger.on-rollout-", "trigger.on-analysis-"))
        assert event == ("when" not in asked) == ("oncePer" not in asked), name
        assert event or "rollout.argoproj.io/revision" in asked["oncePer"]


def test_a_failed_first_install_says_why_and_that_nothing_is_before_it(message):
    said = message("install-failed", rollout(message=LATE))
    assert said.startswith(
        "FAILED: v1.3.0 of demo/llm-engine (revision 3) has never served, and there is no version before"
    )
    assert said.endswith(f"Reason: {LATE}")


def test_every_subscribed_trigger_exists_and_sends_a_template_that_exists():
    (subscription,) = LOADED["subscriptions"]
    triggers = {name.removeprefix("trigger.") for name in DATA if name.startswith("trigger.")}
    assert set(subscription["triggers"]) == triggers
    sent = {template for name in triggers for part in LOADED[f"trigger.{name}"] for template in part["send"]}
    assert sent == {name.removeprefix("template.") for name in DATA if name.startswith("template.")}


def test_verdicts_are_subscribed_to_and_a_failed_gate_is_told_once():
    triggers = set(LOADED["subscriptions"][0]["triggers"])
    assert {"on-rollout-aborted", "on-release-promoted", "on-install-failed"} <= triggers
    assert "on-rollout-completed" not in triggers  # a first install has that before there is a pod
    assert not triggers & {"on-analysis-run-failed", "on-analysis-run-error"}  # their abort says it


def test_token_and_address_come_from_the_secret():
    assert re.fullmatch(r"\$[a-z-]+", LOADED["service.slack"]["token"])
    assert re.fullmatch(r"\$[a-z-]+", LOADED["service.slack"]["apiURL"])
    assert CONFIG["metadata"]["name"] == "argo-rollouts-notification-configmap"


@pytest.mark.parametrize(
    ("template", "runs", "inputs"),
    [
        ("release-promoted", [], {"verdict": "promoted", "reason": "", "part": "engine"}),
        ("release-aborted", [FAILED], {"verdict": "aborted", "reason": FAILED["status"]["message"]}),
        (
            "install-failed",
            [],
            {
                "verdict": "aborted",
                "reason": "a first install that never served: its pods do not become ready",
                "part": "engine",
            },
        ),
    ],
)
def test_a_verdict_starts_the_workflow_that_keeps_it(message, template, runs, inputs):
    said = json.loads(message(template, rollout(), runs, part="forge"))
    assert said == {"ref": "main", "inputs": {"environment": "demo", "version": "v1.3.0"} | inputs}


def test_a_gateways_promotion_says_whose_it_is(message):
    shown = rollout()
    shown["metadata"]["labels"] = {"app.kubernetes.io/component": "gateway"}
    assert json.loads(message("release-promoted", shown, part="forge"))["inputs"]["part"] == "gateway"


def test_the_workflow_takes_every_input_that_a_message_has(message):
    """A forge refuses a dispatch with an input that the workflow does not declare."""
    file = Path(__file__).parents[2] / ".github/workflows/verdict.yml"
    declared = YAML(typ="safe").load(file.read_text())["on"]["workflow_dispatch"]["inputs"]
    for template in ("release-promoted", "install-failed", "release-aborted"):
        said = json.loads(message(template, rollout(), [FAILED], part="forge"))["inputs"]
        assert said.keys() <= declared.keys()
        assert {key for key, one in declared.items() if one.get("required")} <= said.keys()
