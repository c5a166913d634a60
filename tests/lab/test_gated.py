import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from lab import gated, paths, releases
from lab.runner import Ran
from model import pin
from perf import engine


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copytree(paths.ROOT / "model/tiny", tmp_path / "model/tiny")
    shutil.copy(paths.ROOT / "model/model.yaml", tmp_path / "model/model.yaml")
    return tmp_path


def test_the_worse_model_is_another_one_and_its_pin_is_in_order(clone: Path) -> None:
    gated.quantised(clone)
    file = clone / "model/model.yaml"
    pin.verify(pin.load(file), clone / "model/tiny")
    assert pin.load(file).sha256 != pin.load(pin.chosen()).sha256
    assert pin.load(file).args == pin.load(pin.chosen()).args


def test_the_slower_engine_has_one_argument_more_and_the_same_model(clone: Path) -> None:
    releases.git(clone, "init", "--quiet")
    gated.slowed(clone)
    now, before = pin.load(clone / "model/model.yaml"), pin.load(pin.chosen())
    assert [one for one in now.args if one not in before.args] == [gated.SLOW]
    assert now.sha256 == before.sha256
    assert engine.named_model(clone) == engine.named_model(paths.ROOT)


def test_a_registrys_door_lets_in_and_remembers_who_wanted_to_push() -> None:
    with gated.entrance() as (address, asked):
        assert httpx2.get(f"http://{address}/v2/").status_code == 200
        assert httpx2.post(f"http://{address}/v2/llm/engine/blobs/uploads/").status_code == 404
    assert asked == ["GET /v2/", "POST /v2/llm/engine/blobs/uploads/"]


ROW = "tokens_per_second  {} of the live release's [0.1, 0.4]: {}\n"


@pytest.mark.parametrize(
    ("log", "pushes", "wrong"),
    [
        (ROW.format(0.2, "fail") + "the candidate is slower: ttft_p50 at 0.1", False, []),
        (ROW.format(0.2, "fail") + "the candidate misses a floor: goodput at the lowest load 0.75", False, []),
        (
            ROW.format(1.0, "pass") + "the candidate is slower: ttft_p50 at 0.1",
            False,
            ["its tokens per second are why"],
        ),
        (ROW.format(0.2, "fail") + "the run says nothing about the engines", False, ["red by the gate"]),
        (ROW.format(0.2, "fail") + "the candidate is slower: ttft_p50 at 0.1", True, ["no image"]),
    ],
)
def test_a_slower_engine_is_red_for_its_tokens_alone(
    log: str, pushes: bool, wrong: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def judged(office: Any, branch: str, title: str, harm: gated.Harm, *only: str, **given: str) -> tuple[Ran, str]:
        address = given["REGISTRY"].partition("/")[0]
        httpx2.get(f"http://{address}/v2/")
        if pushes:
            httpx2.put(f"http://{address}/v2/llm/engine/manifests/v0.1.0")
        assert office.env["BASELINE"] == "b" * 40
        return Ran("ci", 1, log, 1.0), "a status is missing"

    monkeypatch.setattr(gated, "refused", judged)
    desk = SimpleNamespace(main="main", sha=lambda ref: "b" * 40)
    office: Any = SimpleNamespace(env={}, folder=tmp_path, name="llm", desk=desk, tags=list)
    assert [one for one, good in gated.throughput_drop(office).items() if not good] == wrong


@pytest.mark.parametrize(
    ("pushes", "tags", "wrong"), [(False, [], []), (True, [], ["no image"]), (False, ["v0.1.0"], ["no version"])]
)
def test_a_worse_model_leaves_neither_image_nor_version(
    pushes: bool, tags: list[str], wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(office: Any, branch: str, title: str, harm: gated.Harm, *only: str, **given: str) -> tuple[Ran, str]:
        if pushes:
            httpx2.put(f"http://{given['REGISTRY'].partition('/')[0]}/v2/llm/engine/manifests/v0.1.0")
        return Ran("ci", 1, "broken text", 1.0), "a status is missing"

    monkeypatch.setattr(gated, "refused", judged)
    office: Any = SimpleNamespace(name="llm", tags=lambda: tags)
    assert [one for one, good in gated.quality_drop(office).items() if not good] == wrong


@pytest.mark.parametrize(
    ("code", "log", "ok"), [(0, "9 passed in 60 s", True), (1, "9 passed, 1 failed", False), (0, "", False)]
)
def test_a_contract_is_kept_when_tests_have_passed(code: int, log: str, ok: bool) -> None:
    office: Any = SimpleNamespace(run=lambda *given: Ran("nightly", code, log, 1.0))
    assert all(gated.contract_kept(office).values()) is ok
