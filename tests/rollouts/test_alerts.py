import pytest

from rollouts import alerts
from rollouts.gates import REQUIRED_ALERTS


def test_there_is_a_rule_for_every_alert_that_gates_yaml_must_hold(gates):
    assert tuple(alerts.conditions(gates)) == REQUIRED_ALERTS


@pytest.mark.parametrize("name", REQUIRED_ALERTS)
def test_an_alert_says_severity_summary_description_with_figures_and_runbook(gates, name):
    rule = next(rule for rule in alerts.rules(gates) if rule["alert"] == name)
    assert rule["labels"]["severity"] == gates.alerts[name].severity
    assert rule["for"] == gates.alerts[name].wait
    told = rule["annotations"]
    assert told["runbook_url"] == f"{gates.runbooks}/{name}.md"
    assert told["summary"] != told["description"]
    assert any(figure in told["description"] for figure in ("$value", ".Value", gates.alerts[name].wait))


def test_an_alert_is_named_after_its_thing_and_condition():
    assert all(name.startswith("Llm") or name in ("HighErrorRate", "Watchdog") for name in REQUIRED_ALERTS)
