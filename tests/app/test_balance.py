from dataclasses import replace
from typing import Any

import pytest

from app import balance
from app.balance import FAILURES, Balance

A, B = "http://a", "http://b"


def taken(one: Balance, *engines: str) -> set[str]:
    found = set()
    for _ in range(50):
        with one.least(engines) as engine:
            found.add(engine)
    return found


def test_the_pod_with_the_fewest_requests_is_taken() -> None:
    one = Balance()
    with one.least([A]):
        assert taken(one, A, B) == {B}
    assert taken(one, A, B) == {A, B}


def test_a_pod_that_keeps_failing_is_passed_over_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Balance()
    for _ in range(FAILURES - 1):
        one.failed(A)
    assert taken(one, A, B) == {A, B}
    one.failed(A)
    assert (taken(one, A, B), one.open) == ({B}, 1)

    monkeypatch.setattr(balance, "OPEN_SECONDS", -1)
    one.failed(A)
    assert (taken(one, A, B), one.open) == ({A, B}, 0)


def test_one_good_answer_closes_the_circuit() -> None:
    one = Balance()
    for _ in range(FAILURES):
        one.failed(A)
    one.worked(A)
    one.failed(A)

    assert taken(one, A, B) == {A, B}


def test_an_arms_last_pod_is_always_asked() -> None:
    one = Balance()
    for engine in (A, B):
        for _ in range(FAILURES):
            one.failed(engine)

    assert taken(one, A, B) == {A, B}
    assert taken(one, A) == {A}


def test_pods_that_are_gone_are_forgotten() -> None:
    one = Balance()
    for _ in range(FAILURES):
        one.failed(A)
    one.known([B])

    assert (one.open, len(one.failures)) == (0, 0)


async def test_users_are_spared_a_broken_pod_and_the_metric_says_so(
    door: Any, canary: Any, engine: Any, serve: Any
) -> None:
    async with serve() as broken:
        broken.mode = "500"
        door.gateway.board.show(replace(canary(0), stable=(engine.url, broken.url)))
        for _ in range(60):
            await door.post("/v1/completions", {"prompt": "a"})

        assert len(broken.asked) == FAILURES
        assert b"sluice_open_circuits 1.0" in (await door.get("/metrics"))[1]


async def test_prompts_that_an_engine_refuses_open_no_circuit(door: Any, engine: Any) -> None:
    engine.mode = "400"
    for _ in range(FAILURES + 1):
        await door.post("/v1/completions", {"prompt": "a"})

    assert door.gateway.balance.open == 0
