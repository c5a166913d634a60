"""infrastructure/ against what the chart wants of a cluster; `make infrastructure` formats and judges it."""

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest
from ruamel.yaml import YAML

from tests.charts.conftest import CACHE, Chart

ROOT = Path(__file__).parents[2]
FOLDERS = ["cluster", "aws"]
HELM = str(CACHE / "bin/helm") if (CACHE / "bin/helm").exists() else "helm"
Blocks = dict[str, list[dict[str, Any]]]


def bare(value: Any) -> Any:
    """Without the quotes that the parser leaves around strings."""
    if isinstance(value, dict):
        return {bare(key): bare(one) for key, one in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [bare(one) for one in value]
    return value[1:-1] if isinstance(value, str) and value[:1] == value[-1:] == '"' else value


def blocks(folder: str) -> Blocks:
    found: Blocks = {}
    for file in sorted((ROOT / "infrastructure" / folder).glob("*.tf")):
        for kind, entries in bare(hcl2.loads(file.read_text())).items():
            found.setdefault(kind, []).extend(entries)
    return found


def test_no_rule_lets_signatures_go_before_their_image() -> None:
    """They have no tag, and an image without them is deployed nowhere; the registry ends them with their image."""
    text = (ROOT / "infrastructure/aws/registry.tf").read_text()
    selected = re.findall(r'tagStatus = "(\w+)", tagPrefixList = \["([^"]+)"\]', text)
    assert selected == [("tagged", "v"), ("tagged", "candidate-")]
    assert text.count("tagStatus") == len(selected) == text.count("rulePriority")


def rules() -> list[dict[str, list[str]]]:
    [role] = [one for one in blocks("cluster")["resource"] if "kubernetes_role_v1" in one]
    return list(role["kubernetes_role_v1"]["release"]["rule"])


def allowed(group: str, resource: str, verb: str) -> bool:
    return any(group in one["api_groups"] and resource in one["resources"] and verb in one["verbs"] for one in rules())


def plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the chart makes in prod; `helm test` is a person's."""
    found = Chart(HELM, tmp_path_factory.mktemp("values")).render("prod").objects
    return [one for one in found if "helm.sh/hook" not in (one["metadata"].get("annotations") or {})]


@pytest.mark.parametrize("folder", FOLDERS)
def test_everything_that_a_person_sets_or_reads_is_explained(folder: str) -> None:
    found = blocks(folder)
    for entry in [*found["variable"], *found["output"]]:
        [(name, body)] = entry.items()
        assert body["description"], name
    assert found["terraform"][0]["required_version"] == ">= 1.8.0"
    for one in found["terraform"][0]["required_providers"][0].values():
        assert one["version"].startswith("~> ")


def test_a_workflow_may_make_all_that_the_chart_holds(objects: list[dict[str, Any]]) -> None:
    for one in objects:
        group = one["apiVersion"].rpartition("/")[0]
        for verb in ("get", "create", "patch", "delete"):
            assert allowed(group, plural(one["kind"]), verb), (group, one["kind"], verb)


def test_a_workflow_grants_nothing_that_it_has_not(objects: list[dict[str, Any]]) -> None:
    """The API server refuses a Role whose rules its maker does not have."""
    granted = [rule for one in objects if one["kind"] == "Role" for rule in one["rules"]]
    assert granted
    for rule in granted:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    assert allowed(group, resource, verb), (group, resource, verb)


def test_a_workflow_may_not_do_everything() -> None:
    assert not any("*" in part for one in rules() for part in one.values())
    assert not allowed("", "nodes", "get")
    assert not allowed("", "pods/exec", "create")


def test_the_examples_budget_has_room_for_a_canary() -> None:
    text = (ROOT / "infrastructure/cluster/example.tfvars").read_text()
    named = bare(hcl2.loads(text))["environments"]
    assert set(named) == {"staging", "prod"}
    per_pod = YAML(typ="safe").load((ROOT / "charts/llm/values.yaml").read_text())["engine"]["gpu"]["count"]
    for name, one in named.items():
        values = YAML(typ="safe").load((ROOT / f"environments/{name}/values.yaml").read_text())
        assert one["gpus"] >= 2 * per_pod * values["engine"]["replicas"], name


def test_the_controller_is_the_one_that_the_gates_were_proved_with() -> None:
    [monitoring] = [one["monitoring"] for one in blocks("cluster")["variable"] if "monitoring" in one]
    pins = (ROOT / "lab/tools/argo-rollouts/go.mod").read_text()
    assert f"github.com/argoproj/argo-rollouts {monitoring['default']['controller']}" in pins


def conditions(name: str) -> dict[str, Any]:
    """Of whom a role trusts, by what they are about."""
    found = [one["aws_iam_policy_document"] for one in blocks("aws")["data"] if "aws_iam_policy_document" in one]
    [document] = [one[name] for one in found if name in one]
    return {one["variable"].rsplit(":", 1)[-1]: one for one in document["statement"][0]["condition"]}


def test_who_pushes_is_one_branch_of_one_repository() -> None:
    trust = conditions("trust")
    assert {one["test"] for one in trust.values()} == {"StringEquals"}
    assert trust["sub"]["values"] == ["repo:${var.repository}:ref:refs/heads/main"]
    assert trust["aud"]["values"] == ["sts.amazonaws.com"]


def test_who_pulls_is_any_run_of_one_repository_and_may_nothing_else() -> None:
    assert conditions("readers")["sub"]["values"] == ["repo:${var.repository}:*"]
    assert conditions("readers")["aud"]["values"] == ["sts.amazonaws.com"]
    found = [one["aws_iam_policy_document"] for one in blocks("aws")["data"] if "aws_iam_policy_document" in one]
    [allowed] = [one["pull"] for one in found if "pull" in one]
    actions = [action for statement in allowed["statement"] for action in statement["actions"]]
    assert all(action.split(":")[1].startswith(("Get", "BatchGet", "BatchCheck")) for action in actions)


def test_every_variable_that_a_workflow_asks_for_is_one_that_the_cloud_tells() -> None:
    told = {name: one for entry in blocks("aws")["output"] for name, one in entry.items()}
    asked = {f"AWS_{name.upper()}_ROLE" for name in ("push", "pull")} | {"AWS_REGION", "REGISTRY"}
    workflows = "".join(file.read_text() for file in (ROOT / ".github/workflows").glob("*.yml"))
    assert all(f"vars.{name}" in workflows for name in asked)
    assert all(any(name in one["description"] for one in told.values()) for name in asked)
