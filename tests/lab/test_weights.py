import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab import weights
from lab.errors import NotReady
from lab.weights import Sample, faults


def sample(weight: int, canary: int, unanswered: int = 0, elsewhere: int = 0) -> Sample:
    return Sample(weight, frozenset(range(canary)), unanswered, elsewhere)


def test_shares_within_three_deviations_have_no_fault() -> None:
    assert faults([sample(1, 120), sample(5, 540), sample(25, 2400), sample(0, 0)]) == []


def test_a_share_outside_is_a_fault() -> None:
    assert faults([sample(5, 570)]) == ["at 5 % the canary answered 570 of 10000 users (± 65 allowed)"]


def test_whoever_leaves_while_the_weight_grows_is_a_fault() -> None:
    grown = Sample(5, frozenset(range(10, 510)), 0, 0)

    assert "10 users left the canary while its weight grew to 5 %" in faults([sample(1, 100), grown])


def test_a_user_on_the_canary_after_the_abort_is_a_fault() -> None:
    assert "1 users are on the canary after the abort" in faults([sample(25, 2500), sample(0, 1)])


def test_unanswered_users_and_a_moving_weight_are_faults() -> None:
    found = faults([sample(5, 500, unanswered=2, elsewhere=3)])

    assert found == ["at 5 % 2 users got no answer", "at 5 % the weight moved under 3 requests"]


async def test_a_sample_waits_for_every_gateway() -> None:
    steps = iter(["0"] * 3 + ["1"] * 5 + ["0"] + ["1"] * weights.IN_A_ROW)

    async with told(steps) as url:
        await weights.heard(url, "m", 1)
        assert next(steps, "none") == "none"  # it began to count anew behind the last one of another step


async def test_a_gateway_that_never_hears_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "BEHIND_SECONDS", 0.2)

    async with told(itertools.repeat("5")) as url:
        with pytest.raises(NotReady, match="not heard of step 25"):
            await weights.heard(url, "m", 25)


async def test_after_an_abort_the_gateways_are_at_100() -> None:
    async with told(itertools.repeat("100")) as url:
        await weights.heard(url, "m", 0)


@asynccontextmanager
async def told(steps: Iterator[str]) -> AsyncIterator[str]:
    """A gateway whose answers name these steps, one after the other."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(headers={"x-sluice-step": next(steps)})

    app = web.Application()
    app.router.add_post("/v1/completions", answer)
    server = TestServer(app)
    await server.start_server()
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()
