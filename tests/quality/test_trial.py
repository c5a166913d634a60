import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quality import cases, trial
from quality.answers import Answer
from quality.cases import Case
from rollouts import gates

ROLLOUT, RELEASE = "demo/llm-engine", "v1.1.0-r2"
CASES = [
    Case(
        id=f"river-{number}",
        language="en",
        question=f"Which river is number {number}?",
        references=(f"River number {number} is the Tisk.",),
        keys=("Tisk",),
    )
    for number in range(40)
]
Ask = Callable[[Case, str], Awaitable[Answer]]


def trying(ask: Ask, **given: Any) -> tuple[trial.Trial, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []

    def say(**what: Any) -> None:
        told.append(what)

    return trial.Trial(ask, CASES, gates.load().quality, say, **{"per_second": 10_000, **given}), told


def answering(wrong: set[str] = frozenset(), arm: str = "canary") -> Ask:  # type: ignore[assignment]
    async def ask(case: Case, asked: str) -> Answer:
        bad = asked == arm and case.id in wrong
        return Answer(text="It is another town altogether." if bad else case.references[0], finish="stop")

    return ask


def value(of: trial.Trial, name: str, **labels: str) -> float | None:
    return of.shown.registry.get_sample_value(name, {"rollout": ROLLOUT, "release": RELEASE, **labels})


async def judged(one: trial.Trial, until: Callable[[], bool]) -> None:
    running = asyncio.create_task(one.run())
    one.seen(ROLLOUT, RELEASE)
    try:
        async with asyncio.timeout(60):
            while not until():
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("wrong", "arm", "verdict"),
    [(0, "canary", 1), (40, "canary", -1), (20, "canary", -1), (4, "canary", 0), (40, "stable", 1)],
)
async def test_the_verdict_is_that_of_the_quality_gate(wrong: int, arm: str, verdict: int) -> None:
    one, told = trying(answering({case.id for case in CASES[:wrong]}, arm))
    await judged(one, lambda: bool(told))
    assert value(one, "sluice_answers_verdict") == verdict
    assert value(one, "sluice_answers_asked") == len(CASES)
    assert told[0]["event"] == "answers judged"
    assert told[0]["release"] == RELEASE


async def test_the_figures_say_by_how_much() -> None:
    one, told = trying(answering({case.id for case in CASES[:20]}))
    await judged(one, lambda: bool(told))
    labels = {"metric": "accuracy", "group": "all"}
    assert value(one, "sluice_answers_score", arm="canary", **labels) == 50
    assert value(one, "sluice_answers_score", arm="stable", **labels) == 100
    low, high = (value(one, "sluice_answers_difference", bound=bound, **labels) or 0 for bound in ("low", "high"))
    assert -100 < low < -50 < high < 0


async def test_without_every_answer_there_is_no_verdict_and_what_failed_is_asked_again() -> None:
    failing = {"river-3", "river-7"}
    tries: list[str] = []

    async def ask(case: Case, arm: str) -> Answer:
        if case.id in failing and arm == "canary":
            tries.append(case.id)
            return Answer(outcome="upstream_5xx")
        return Answer(text=case.references[0])

    one, told = trying(ask)
    seen: list[float | None] = []

    def mended() -> bool:
        if len(tries) > 6 and failing:
            seen.extend(value(one, f"sluice_answers_{name}") for name in ("verdict", "asked"))
            failing.clear()
        return bool(told)

    await judged(one, mended)
    assert seen == [None, len(CASES) - 2]
    assert value(one, "sluice_answers_verdict") == 1


async def test_a_canary_that_goes_ends_the_questions_and_one_that_comes_begins_anew() -> None:
    asked: list[str] = []
    one, told = trying(answering())

    async def ask(case: Case, arm: str) -> Answer:
        asked.append(arm)
        if len(asked) == 20:
            one.gone()
        return Answer(text=case.references[0])

    one.ask = ask
    running = asyncio.create_task(one.run())
    one.seen(ROLLOUT, RELEASE)
    async with asyncio.timeout(60):
        while len(asked) < 20 or one.left() == CASES:
            await asyncio.sleep(0.01)
    kept = len(one.records["canary"].answers)
    assert 0 < kept < len(CASES)
    one.seen(ROLLOUT, "v1.2.0-r3")
    async with asyncio.timeout(60):
        while not told:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert told[0]["release"] == "v1.2.0-r3"
    assert value(one, "sluice_answers_asked") is None  # only the newest release is shown


async def test_a_release_is_judged_once() -> None:
    one, told = trying(answering())
    await judged(one, lambda: bool(told))
    one.gone()
    before = len(told)
    later: list[int] = []
    await judged(one, lambda: len(later) > 5 or bool(later.append(1)))
    assert len(told) == before


def test_a_part_of_the_set_is_spread_over_all_of_it() -> None:
    whole = cases.load()
    assert trial.sampled(whole, 0) == whole
    part = trial.sampled(whole, 96)
    assert 60 < len(part) <= 96
    assert {case.tags[0] for case in part} == {case.tags[0] for case in whole}
    assert {case.language for case in part} == {case.language for case in whole}
