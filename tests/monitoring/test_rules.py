"""The rule files under promtool's own tests, and those tests under planted faults."""

import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rollouts import gates

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "monitoring/rules"


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Rules and their tests, laid out as in the repository, with this repository's runbooks; and to be broken."""
    shutil.copytree(RULES, tmp_path / "monitoring/rules")
    for path in HERE.glob("*.test.yaml"):
        (tmp_path / "tests/monitoring").mkdir(parents=True, exist_ok=True)
        text = path.read_text().replace("RUNBOOKS/", f"{gates.load().runbooks}/")
        (tmp_path / "tests/monitoring" / path.name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", ["alerts", "engine", "evidence"])
def test_promtool_accepts_the_rules(name):
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES / f"{name}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["alerts", "engine"])
def test_the_rules_do_what_their_tests_say(copied, name):
    done = promtool("test", "rules", copied / f"tests/monitoring/{name}.test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_silent_and_firing():
    rules = YAML(typ="safe").load(RULES / "alerts.yaml")["groups"][0]["rules"]
    tests = YAML(typ="safe").load(HERE / "alerts.test.yaml")["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    firing = {case["alertname"] for case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases if not case["exp_alerts"]}
    assert firing == {rule["alert"] for rule in rules}
    assert silent == firing - {"Watchdog"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("alerts", "> 0.1\n", "> 0.2\n"),
        ("alerts", "> 0.1\n", "> 0.05\n"),
        ("alerts", "for: 2m", "for: 1m"),
        ("alerts", "for: 2m", "for: 3m"),
        ("alerts", "for: 1m", "for: 5m"),
        ("alerts", "for: 30m", "for: 20m"),
        ("alerts", 'status=~"5..", ', ""),
        ("alerts", ', handler!~"/(metrics|livez|readyz)"', ""),
        ("alerts", '{handler!~"/(metrics|livez|readyz)"}', ""),
        ("alerts", 'phase="Abort"', 'phase="Degraded"'),
        ("alerts", ', name=~".+-(engine|gateway)"', ""),
        ("alerts", '"exported_namespace"', '"other"'),
        ("alerts", '{step!="100"}', ""),
        ("alerts", ">= 4", ">= 3"),
        ("alerts", ' and max_over_time(up{component=~"engine|gateway"}[1h]) == 1', ""),
        ("alerts", 'unless on (namespace, component) up{component=~"engine|gateway"}', ""),
        ("alerts", "absent(argo_rollouts_controller_info)", "argo_rollouts_controller_info == 0"),
        ("alerts", "vector(1)", "vector(1) > 1"),
        ("engine", "or max by (namespace, pod) (vllm:gpu_cache_usage_perc)", ""),
        ("engine", "or sum by (namespace, pod) (sglang:num_queue_reqs)", ""),
        ("engine", "rate(", "increase("),
    ],
)
def test_a_fault_in_a_rule_is_noticed(copied, file, old, new):
    rules = copied / f"monitoring/rules/{file}.yaml"
    assert old in rules.read_text()
    rules.write_text(rules.read_text().replace(old, new, 1))
    done = promtool("test", "rules", copied / f"tests/monitoring/{file}.test.yaml")
    assert "FAILED" in done.stdout + done.stderr, f"no test fails with {new!r} for {old!r}"
