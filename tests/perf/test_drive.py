import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf import drive, engine, sample, stats
from perf.schedule import Phase, Plan
from tests.perf.clock import Clock, Server, installed

RATE, SECONDS, STALL = 100.0, 20.0, 3.0


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """A run switches Python's collector off, in a process of its own; here it goes on again."""
    yield
    gc.enable()
    gc.unfreeze()


def plan(*labels: str, **more: int) -> Plan:
    phases = [Phase(label, f"http://{label}", RATE, SECONDS, seed=7, even=True) for label in labels]
    return Plan("m", 512, tuple(phases), **more)


def test_a_planted_stall_is_recovered_within_five_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A load test that waits for answers would send one request into the stall, and see nothing of it."""
    clock = Clock()
    server = Server(clock, stalled=1005.0, back=1005.0 + STALL)
    installed(monkeypatch, clock, server)
    found = drive.run(plan("one"))

    ends = [one.end for one in found]
    hit = [end - 0.010 for end in ends if end > 0.0101]
    assert len(found) == RATE * SECONDS
    assert max(hit) == pytest.approx(STALL, rel=0.05)
    assert len(hit) / RATE == pytest.approx(STALL, rel=0.05)  # the stall's length, by how many it hit
    assert sum(hit) == pytest.approx(RATE * STALL**2 / 2, rel=0.05)  # all that users waited for it
    slow = stats.figures(found, RATE, stats.Slo(0.5, 0.1))
    assert slow.goodput == pytest.approx(1 - (STALL - 0.5) / SECONDS, rel=0.05)


def test_a_tool_that_stalls_itself_is_seen_and_counted_from_the_intended_start(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    installed(monkeypatch, clock, Server(clock))
    asleep = iter([True])

    def sleep(seconds: float) -> None:
        clock.sleep(seconds + (2.0 if clock.now > 1010 and next(asleep, False) else 0.0))

    monkeypatch.setattr("perf.user.gevent.sleep", sleep)
    found = drive.run(plan("one"))

    late = [one for one in found if one.sent > 0.001]
    assert len(late) / RATE == pytest.approx(2.0, rel=0.05)
    assert all(one.end == pytest.approx(one.sent + 0.010) for one in late)
    tool = stats.Tool()
    tool.add(found, RATE, SECONDS)
    assert any(doubt.startswith("requests left late") for doubt in tool.doubts(ceiling=1000))


def test_phases_come_one_after_the_other_each_when_the_last_has_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    installed(monkeypatch, clock, Server(clock, stalled=1019.9, back=1030.0))
    found = drive.run(plan("one", "two"))

    ends = max(one.intended + one.end for one in found if one.label == "one")
    begins = min(one.intended for one in found if one.label == "two")
    assert ends == pytest.approx(30.0, abs=0.1)
    assert begins >= ends


def test_answers_may_all_be_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    server = Server(clock)
    installed(monkeypatch, clock, server)
    drive.run(plan("one", answer_tokens=9))

    assert all(b'"max_tokens": 9,' in body for body in server.bodies)


def test_a_plan_is_driven_against_a_server_in_a_process_of_its_own(blank_process: str, tmp_path: Path) -> None:
    file, out = tmp_path / "plan.json", tmp_path / "samples.jsonl"
    phases = tuple(Phase(label, blank_process, 40, 0.5, seed) for seed, label in enumerate(("one", "two")))
    Plan("m", 512, phases).save(file)
    subprocess.run([sys.executable, "-m", "perf.drive", str(file), str(out)], cwd=engine.ROOT, check=True)

    found = sample.load(out)
    assert len(found) == sum(len(phase.arrivals()) for phase in phases)
    assert {(one.label, one.outcome) for one in found} == {("one", "ok"), ("two", "ok")}
    assert all(one.first is not None and one.tokens > 0 for one in found)
