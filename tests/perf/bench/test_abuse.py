import os
from typing import Any

import pytest

from perf.bench import abuse, attack
from perf.bench.abuse import Load
from perf.bench.attack import Reply
from perf.bench.others import Others

ALONE = 4.0  # ms
GOOD: dict[str, Any] = {"loads": {}, "engine_saw": 0, "memory_mb": [], "alone_p99_ms": 4.0}


def load(*replies: Reply, others: float = ALONE, failed: int = 0, **more: Any) -> list[str]:
    waits = Others([others / 1000] * 100, failed)
    found = Load("n", list(replies), waits, wanted=(400,), **more).document(ALONE)["faults"]
    assert isinstance(found, list)
    return found


def test_what_is_refused_at_once_and_disturbs_nobody_is_no_fault() -> None:
    assert load(Reply(400, 0.01)) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (load(Reply(400, 0.01), Reply(200, 0.01)), "1 were answered with 200"),
        (load(Reply(400, 0.2)), "a refusal took 200 ms"),
        (load(Reply(400, 0.01), others=20), "others waited 5.0 times as long"),
        (load(Reply(400, 0.01), failed=3), "3 requests of others failed"),
        (load(Reply(400, 0.01), unfreed=7), "the engine went on with 7 streams of nobody"),
    ],
)
def test_each_fault_is_said(found: list[str], said: str) -> None:
    assert found == [said]


def test_a_request_that_the_engine_saw_is_a_fault_and_so_is_memory_that_grows() -> None:
    assert abuse.judged(GOOD)["faults"] == []
    assert "the engine saw 2" in abuse.judged(GOOD | {"engine_saw": 2})["faults"][0]
    assert abuse.judged(GOOD | {"memory_mb": [90, 100, 101, 100, 99, 101, 100]})["faults"] == []
    assert "memory grew to 1.40" in abuse.judged(GOOD | {"memory_mb": [90, 100, 100, 120, 120, 140, 140]})["faults"][0]


async def test_every_kind_of_abuse_is_refused_by_the_gateway_and_never_seen_by_the_engine(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    small = {"LEAST_SECONDS": 0.0, "TIMES": 2, "PAUSE": 0.0, "LORIS": 2, "IDLE": 20, "IDLE_SECONDS": 0.1}
    small |= {"STREAMS": 200, "CANCELLED": 100, "STREAM_FRAMES": 10, "STREAM_MS": 20}
    for name, value in small.items():
        monkeypatch.setattr(attack, name, value)
    cores = [min(os.sched_getaffinity(0))]
    with abuse.guarded(cores, cores) as (gateway, engine):
        found = await abuse.loaded(gateway, engine, list(abuse.LOADS))
        seen = (await attack.seen(engine.port))["abuse"]

    wrong = [(one.name, reply.status) for one in found for reply in one.replies if reply.status not in one.wanted]
    assert wrong == []
    assert [one.name for one in found if one.others.failed or one.unfreed] == []
    assert seen == 0
    assert "Traceback" not in capfd.readouterr().err
    text = abuse.table(abuse.judged(GOOD | {"loads": {one.name: one.document(ALONE) for one in found}}))
    assert all(name in text for name in abuse.LOADS)
