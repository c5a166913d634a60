import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hcl2
import pytest

from lab import grants
from lab.apiserver import Api
from lab.errors import NotReady

ROOT = Path(__file__).parents[2]
Answer = Callable[[tuple[str, ...], dict[str, Any]], str]


class Scripted(Api):
    """An API server whose answers a test gives: what is refused, and what a workflow may."""

    def __init__(self, folder: Path, refuses: Answer = lambda words, given: "", may: tuple[str, ...] = ()) -> None:
        super().__init__(folder, "")
        self.refuses, self.may, self.deleted = refuses, may, 0

    def denied(self, *words: str, stdin: str | None = None) -> str:
        return self.refuses(words, json.loads(stdin or "{}"))

    def kubectl(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        self.deleted += "delete" in words and "can-i" not in words
        asked = words[2 : words.index("--as")] if "--as" in words else ()
        return "yes\n" if " ".join(asked) in self.may else "no\n"


def kept(words: tuple[str, ...], given: dict[str, Any]) -> str:
    """As a cluster answers in which every rule holds."""
    if given.get("kind") == "Service":
        return "exceeded quota: budget"
    if given.get("kind") == "Pod":
        [one] = given["spec"]["containers"]
        if one["resources"].get("limits", {}).get(grants.GPU, 0) > grants.BUDGET:
            return "exceeded quota: budget"
        return "" if one["securityContext"] else "violates PodSecurity"
    return "is attempting to grant\nmore"


def test_where_the_rules_hold_nothing_is_found(tmp_path: Path) -> None:
    api = Scripted(tmp_path, kept)
    assert [check(api) for check in (grants.more, grants.exceeded, grants.unrestricted, grants.silent)] == [""] * 4
    assert api.deleted == 2  # what was taken is removed again


def test_where_none_holds_each_is_named(tmp_path: Path) -> None:
    api = Scripted(tmp_path, may=("get pods --subresource=exec", "get nodes"))
    assert grants.more(api) == (
        "get pods --subresource=exec is allowed; get nodes is allowed; a binding to cluster-admin is allowed"
    )
    assert grants.exceeded(api) == "5 GPUs are taken"
    assert grants.unrestricted(api) == "a pod that may be root's is taken"


def test_a_budget_that_has_no_room_or_lets_a_balancer_in_is_named(tmp_path: Path) -> None:
    assert grants.exceeded(Scripted(tmp_path, lambda words, given: "must specify cpu")) == (
        "a pod within the budget is refused: must specify cpu"
    )
    lenient = Scripted(tmp_path, lambda words, given: "" if given["kind"] == "Service" else kept(words, given))
    assert grants.exceeded(lenient) == "a load balancer is taken"


def test_a_container_that_asks_for_nothing_and_is_refused_is_told(tmp_path: Path) -> None:
    assert (
        grants.silent(Scripted(tmp_path, lambda words, given: "must specify requests.cpu"))
        == "must specify requests.cpu"
    )


def test_a_release_is_installed_changed_and_removed_as_the_workflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr("lab.process.run", lambda *words: seen.append(tuple(map(str, words))))
    all_of_it = tuple(" ".join(words) for words in grants.MUST)
    assert grants.handed_over(Scripted(tmp_path, may=all_of_it)) == ""
    assert [words[7] for words in seen] == ["upgrade", "upgrade", "uninstall"]
    assert all(words[words.index("--kube-as-user") + 1] == grants.USER for words in seen)
    assert grants.handed_over(Scripted(tmp_path, may=all_of_it[1:])) == f"{all_of_it[0]} is refused; "


def test_why_helm_was_refused_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*words: object) -> str:
        raise NotReady("helm failed: roles is forbidden")

    monkeypatch.setattr("lab.process.run", refused)
    assert grants.handed_over(Scripted(tmp_path)) == "helm failed: roles is forbidden"


def test_the_user_and_the_budget_are_those_of_the_example() -> None:
    text = (ROOT / "infrastructure/cluster/example.tfvars").read_text()
    staging = hcl2.loads(text)["environments"][grants.NAMESPACE]
    assert staging["gpus"] == grants.BUDGET
    assert [f"sluice:{one.strip(chr(34))}" for one in staging["subjects"]] == [grants.USER]
