import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from perf.bench import abuse, attack, verdict
from perf.bench.abuse import Pace
from perf.bench.attack import Reply
from perf.bench.others import Others
from perf.bench.verdict import Load, Round


async def test_every_kind_of_abuse_is_refused_by_the_gateway_and_never_seen_by_the_engine(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    small = {"LEAST_SECONDS": 0.0, "TIMES": 2, "PAUSE": 0.0, "LORIS": 2, "IDLE": 20, "IDLE_SECONDS": 0.1}
    small |= {"STREAMS": 200, "CANCELLED": 100, "STREAM_FRAMES": 10, "STREAM_MS": 20, "SLOW": 5}
    for name, value in small.items():
        monkeypatch.setattr(attack, name, value)
    monkeypatch.setattr(abuse, "BODY_SECONDS", 0.5)
    cores = [min(os.sched_getaffinity(0))]
    with abuse.guarded(cores, cores) as (gateway, engine):
        found = await abuse.passed(gateway, engine, list(abuse.LOADS), Pace(load=0.0, quiet=0.05))

    loads = found.loads
    assert [load.name for load in loads] == list(abuse.LOADS)
    assert [(one.name, reply.status) for one in loads for reply in one.replies if reply.status not in one.wanted] == []
    assert [one.name for one in loads if one.others.failed or one.unfreed] == []
    assert found.engine_saw == 0
    assert (len(found.memory_mb), len(found.quiets)) == (len(loads), len(loads) + 1)
    assert "Traceback" not in capfd.readouterr().err
    assert all(name in abuse.table(verdict.judged([found])) for name in abuse.LOADS)


async def test_a_soak_keeps_every_round_all_loads_of_it() -> None:
    paces: list[Pace] = []

    async def one(pace: Pace) -> Round:
        paces.append(pace)
        return Round([], [], 0, [], len(paces))

    clock = itertools.count(0.0, 60.0)
    rounds = await abuse.soaked(one, 170, lambda: next(clock))

    assert [round.ended for round in rounds] == [1, 2, 3]
    assert paces == [abuse.FIRST, abuse.SOAK, abuse.SOAK]
    assert len(await abuse.soaked(one, 0)) == 1


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (1, 3)])
def test_a_request_of_others_that_failed_in_the_seventh_round_fails_the_soak(
    failed: int, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(asked: Any) -> dict[str, Any]:
        def load(number: int) -> Load:
            return Load("slow-loris", [Reply(408, 2.0, True)], Others([0.001], failed * (number == 7)), 0, (408,))

        rounds = [Round([load(number)], [Others([0.001])], 0, [130.0], 60.0 * number) for number in range(1, 11)]
        return verdict.judged(rounds, asked.soak)

    monkeypatch.setattr(abuse, "run", run)

    assert abuse.main(["--soak", "600", "--out", str(tmp_path)]) == code
    assert ("round 7, slow-loris: 1 requests of others failed" in capsys.readouterr().out) == bool(failed)
    assert len(json.loads((tmp_path / "abuse.json").read_text())["rounds"]) == 10
