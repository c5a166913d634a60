import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import plan
from lab.apiserver import Api
from lab.errors import LabError
from lab.plan import CHECKS, INVALID, PLANTED, Ground
from lab.tofu import Tofu

FOLDER = Path(__file__).parents[2] / "infrastructure/cluster"


class Scripted(Tofu):
    """tofu whose plans a test gives, one after another."""

    plans: Iterator[dict[str, list[str]]]

    def planned(self) -> dict[str, list[str]]:
        return next(self.plans)

    def run(self, *words: str, good: tuple[int, ...] = (0,)) -> Any:
        return type("Done", (), {"returncode": 2 if next(self.plans) else 0})


def ground(tmp_path: Path, *plans: dict[str, list[str]], namespaces: str = "namespace/default") -> Ground:
    api = Api(tmp_path, "")
    object.__setattr__(api, "kubectl", lambda *words, **more: namespaces)
    tofu = Scripted(tmp_path)
    object.__setattr__(tofu, "plans", iter(plans))
    return Ground(api, tofu)


def test_every_fault_changes_what_stands_there() -> None:
    for file, was, bad, *_ in (*INVALID, *PLANTED):
        text = (FOLDER / file.replace(".auto", "")).read_text()
        assert was in text, (file, was)
        assert text.replace(was, bad) != text


def test_every_fault_is_looked_for_by_a_check_that_there_is() -> None:
    assert {name for *_, name in PLANTED} <= set(CHECKS)


def test_a_plan_is_complete_when_it_makes_all_and_only_that(tmp_path: Path) -> None:
    whole = {f'{name}["{one}"]': ["create"] for name in plan.MADE for one in ("staging", "prod")}
    whole |= {f"{name}[0]": ["create"] for name in plan.INSTALLED}
    assert plan.complete(ground(tmp_path, whole)) == ""
    assert "kubernetes_role_v1.release" in plan.complete(
        ground(tmp_path, {'kubernetes_role_v1.release["prod"]': ["create"]})
    )
    assert plan.complete(ground(tmp_path, whole | {"helm_release.another": ["create"]})) != ""


def test_a_second_plan_with_a_change_is_told(tmp_path: Path) -> None:
    assert plan.settled(ground(tmp_path, {})) == ""
    assert plan.settled(ground(tmp_path, {"a": ["update"]})) == "a second plan would change {'a': ['update']}"


def test_a_hand_edit_that_no_plan_shows_is_told(tmp_path: Path) -> None:
    assert plan.noticed(ground(tmp_path, {"a": ["update"]}, {}, {})) == ""
    assert plan.noticed(ground(tmp_path, {}, {})) == "a quota raised by hand is not in the plan"


def test_monitoring_that_looks_away_is_told(tmp_path: Path) -> None:
    spec = {"podMonitorSelectorNilUsesHelmValues": False, "ruleSelectorNilUsesHelmValues": True}
    image = {"tag": plan.MONITORING["controller"]}
    values = {"prometheus": {"prometheusSpec": spec}, "controller": {"image": image}}
    seen = ground(tmp_path)

    def answered() -> str:
        object.__setattr__(seen.api, "kubectl", lambda *words: json.dumps({"data": {"values": json.dumps(values)}}))
        return plan.watched(seen)

    assert answered() == "ruleSelectorNilUsesHelmValues"
    image["tag"] = "v0.0.0"
    assert answered() == "ruleSelectorNilUsesHelmValues, controller.image.tag"


def test_what_is_left_after_the_end_is_named(tmp_path: Path) -> None:
    assert plan.gone(ground(tmp_path, {})) == ""
    assert plan.gone(ground(tmp_path, {}, namespaces="namespace/prod")) == "prod is left"


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of cluster/ as tofu gets it; every check finds exactly what is planted for it."""
    for file in FOLDER.glob("*.tf"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "example.auto.tfvars").write_text((FOLDER / "example.tfvars").read_text())

    def finds(name: str) -> Any:
        faults = [(file, was) for file, was, _, by in PLANTED if by == name]
        return lambda ground: "".join(was for file, was in faults if was not in (tmp_path / file).read_text())

    monkeypatch.setattr(plan, "CHECKS", {name: finds(name) for name in CHECKS})
    monkeypatch.setattr(plan, "complete", lambda ground: "")
    monkeypatch.setattr(plan, "gone", lambda ground: "")
    monkeypatch.setattr(Tofu, "apply", lambda self: None)
    return tmp_path


def test_what_finds_all_faults_and_nothing_else_is_good(copied: Path) -> None:
    assert plan.judged(Tofu(copied), Api(copied, ""))


def test_a_check_that_finds_nothing_planted_fails_all(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(plan.CHECKS, "the budget holds", lambda ground: "")
    assert not plan.judged(Tofu(copied), Api(copied, ""))
    assert 'no  planted, "count/cronjobs.batch": not found by: the budget holds' in capsys.readouterr().out


def test_what_tofu_takes_although_it_is_wrong_fails_all(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.read_text() for file in copied.iterdir()}
    everything = " ".join(why for *_, why in INVALID)
    monkeypatch.setattr(Tofu, "wrong", lambda self, *words: everything)
    assert plan.invalid(Tofu(copied))
    monkeypatch.setattr(Tofu, "wrong", lambda self, *words: "connection refused")
    assert not plan.invalid(Tofu(copied))
    assert {file.name: file.read_text() for file in copied.iterdir()} == before


def test_a_fault_that_has_no_place_any_more_is_an_error(copied: Path) -> None:
    with pytest.raises(LabError, match=r"roles\.tf: holds no 'nowhere'; correct lab/plan\.py"):
        plan.plant(copied, ("roles.tf", "nowhere", "x", ""), kept=plan.HERE)
