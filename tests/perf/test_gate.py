import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perf import cpu, gate
from perf.errors import Failed, Invalid, Unsure
from perf.sample import Sample
from perf.schedule import Phase
from perf.session import BASELINE, CANDIDATE, Session

GOOD: dict[str, Any] = {
    "valid": True,
    "doubts": [],
    "verdict": "pass",
    "metric": "ttft_p50",
    "ratio": 1.0,
    "floors": [],
}
MISSED = {"name": "tokens/s on NVIDIA L4", "reached": 700.0, "needed": 900, "verdict": "fail"}


def test_a_pass_raises_nothing() -> None:
    gate.verdict(GOOD)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"valid": False, "doubts": ["requests left late"]}, Invalid, "requests left late"),
        ({"verdict": "fail", "ratio": 0.7}, Failed, "ttft_p50 at 0.700 of the live release's"),
        ({"verdict": "unsure"}, Unsure, "more time with --windows"),
        ({"verdict": "fail", "floors": [MISSED]}, Failed, "tokens/s on NVIDIA L4 700.00, needed 900"),
        (
            {"proof": {"passed": 19, "windows": [{}] * 20, "quota": 0.7, "held": {"verdict": "pass"}, "proven": False}},
            Failed,
            "not proven",
        ),
    ],
)
def test_whatever_is_no_pass_has_its_own_error(change: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        gate.verdict({**GOOD, **change})


@pytest.mark.parametrize("given", [["--windows", "0"], ["--pairs", "5"]])
def test_too_little_to_judge_by_is_refused(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.main(["--candidate", "v1.0.0", *given]) == 5
    assert capsys.readouterr().err.count("\n") == 1


@dataclass
class Fast(Session):
    """Engines of a given speed each, in no time."""

    speeds: dict[str, float] = field(default_factory=lambda: dict.fromkeys((BASELINE, CANDIDATE), 1.0))

    def samples(self, phases: Sequence[Phase]) -> list[list[Sample]]:
        return [self.answers(phase, self.speeds[phase.label]) for phase in phases]

    def answers(self, phase: Phase, speed: float) -> list[Sample]:
        wait = (0.1 if phase.rate < 100 else 3.0) / speed
        last = phase.arrivals()[-1] + wait * 10
        return [
            Sample(phase.label, "chat", "en", at, first=wait, last=wait * 2, end=last - at, tokens=9)
            for at in phase.arrivals()
        ]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., gate.Gate]:
    """A gate whose engines and tool are fakes; under a quota the candidate does 70 %."""

    @contextlib.contextmanager
    def engines(what: dict[str, str], *_: Any) -> Iterator[dict[str, Any]]:
        yield {label: SimpleNamespace(url=f"http://{label}", pids=[1]) for label in what}

    def make(*given: str) -> gate.Gate:
        found = gate.Gate(gate.options(["--out", str(tmp_path), "--environments", str(tmp_path), *given]))

        @contextlib.contextmanager
        def quota(share: float, *_: Any) -> Iterator[None]:
            found.session.speeds[CANDIDATE] = share
            yield
            found.session.speeds[CANDIDATE] = 1.0

        monkeypatch.setattr(cpu, "quota", quota)
        return found

    monkeypatch.setattr(gate, "engines", engines)
    monkeypatch.setattr(gate, "ceiling", lambda *_: 1000.0)
    monkeypatch.setattr(gate, "Session", Fast)
    monkeypatch.setenv("PERF_HARDWARE", "cpu")
    return make


def test_a_release_as_fast_as_the_live_one_passes(made: Callable[..., gate.Gate], tmp_path: Path) -> None:
    found = made("--baseline", "v1.0.0").run()
    gate.verdict(found)

    assert (found["verdict"], found["valid"], found["first_release"]) == ("pass", True, False)
    assert found["ceiling_ratio"] >= 2
    assert json.loads((tmp_path / "report.json").read_text())["baseline"] == "v1.0.0"
    assert (tmp_path / "latency.png").stat().st_size > 10_000


def test_a_first_release_has_floors_only(made: Callable[..., gate.Gate], monkeypatch: pytest.MonkeyPatch) -> None:
    found = made().run()
    gate.verdict(found)
    assert (found["verdict"], found["first_release"], found["metrics"]) == ("pass", True, {})

    monkeypatch.setenv("PERF_HARDWARE", "NVIDIA L4")
    slow = made()
    slow.floors = {"NVIDIA L4": 10**6}
    with pytest.raises(Failed, match="tokens/s on NVIDIA L4"):
        gate.verdict(slow.run())


def test_the_live_release_is_what_the_environment_names(made: Callable[..., gate.Gate], tmp_path: Path) -> None:
    (tmp_path / "prod").mkdir()
    text = "release: {version: v1.2.0, images: {engine: live@sha256:1}}"
    (tmp_path / "prod/release.yaml").write_text(text)

    assert made("--candidate", "r/engine@sha256:2").run()["baseline"] == "live@sha256:1"
    assert made().run()["baseline"] == "v1.2.0"  # a tree, where there is no GPU


def test_a_tree_meets_the_live_image_where_there_is_a_gpu(
    made: Callable[..., gate.Gate], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod/release.yaml").write_text("release: {version: v1.2.0, images: {engine: live@sha256:1}}")
    found = made()
    monkeypatch.setenv("PERF_HARDWARE", "NVIDIA L4")

    assert found.baseline() == "live@sha256:1"


def test_the_gate_is_proven_by_windows_that_pass_and_by_a_quota_that_fails(made: Callable[..., gate.Gate]) -> None:
    found = made("--proof").run()
    gate.verdict(found)

    assert (found["proof"]["passed"], len(found["proof"]["windows"])) == (20, 20)
    assert found["proof"]["held"]["verdict"] == "fail"
    assert found["proof"]["held"]["ttft_p50"]["verdict"] == "fail"  # all metrics are judged, not tokens/s alone


def test_a_quota_that_is_not_noticed_proves_nothing(
    made: Callable[..., gate.Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = made("--proof")
    monkeypatch.setattr(cpu, "quota", lambda *_: contextlib.nullcontext())
    with pytest.raises(Failed, match="not proven"):
        gate.verdict(blind.run())
