import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app import outcome
from app.arms import Arms
from quality import answers, gateways, probing, prompts

ROLLOUT = "demo/llm-gateway"
GOOD = {"choices": [{"text": "yes", "finish_reason": "stop"}]}


def pod(status: int = 200, engine: str = "engine;dur=10.5", takes: float = 0.0) -> web.Application:
    """A gateway's pod as a probe sees it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["x-sluice-probe"] == "probe-key"
        assert request.headers["x-sluice-arm"] == "stable"
        await asyncio.sleep(takes)
        if status != 200:
            return web.json_response({"error": {"code": "broken"}}, status=status)
        if not (await request.json())["stream"]:
            return web.json_response(GOOD, headers={"server-timing": engine})
        reply = web.StreamResponse(headers={"content-type": "text/event-stream", "server-timing": engine})
        await reply.prepare(request)
        await reply.write(b'data: {"choices": [{"text": "yes"}]}\n\ndata: [DONE]\n\n')
        return reply

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    return app


@pytest.fixture
async def pods() -> AsyncIterator[Callable[..., Any]]:
    async with contextlib.AsyncExitStack() as stack:

        async def started(**given: Any) -> str:
            server = await stack.enter_async_context(TestServer(pod(**given)))
            return str(server.make_url("/")).rstrip("/")

        yield started


def view(stable: tuple[str, ...], canary: tuple[str, ...], **more: Any) -> Arms:
    return Arms(
        **{
            "rollout": ROLLOUT,
            "release": "v1.1.0-r2",
            "version": "v1.1.0",
            "in_progress": True,
            "weight": 0,
            "stable": stable,
            "canary": canary,
            **more,
        }
    )


def made() -> gateways.Gateways:
    settings = probing.Settings(gateway="", key="probe-key", model="m", rate_per_arm=200)
    return gateways.Gateways(settings, prompts.load())


async def probed(one: gateways.Gateways, enough: Callable[[], bool]) -> None:
    """Probe the arms that the board shows until what the test waits for has come."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        running = asyncio.create_task(probing.Paced.run(one, session))
        while not enough():
            await asyncio.sleep(0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def counted(one: gateways.Gateways, name: str, **labels: str) -> float | None:
    where = {"rollout": ROLLOUT, "release": "v1.1.0-r2", "step": "0", "source": "probe"}
    return one.counters.registry.get_sample_value(name, where | labels)


async def test_a_pod_that_answers_5xx_is_counted_for_its_own_arm(pods: Any) -> None:
    one = made()
    one.board.show(view((await pods(),), (await pods(status=500),)))
    await probed(one, lambda: min(one.sent.values()) > 5)
    assert (counted(one, "sluice_requests_total", arm="canary", outcome="upstream_5xx") or 0) > 5
    assert (counted(one, "sluice_requests_total", arm="stable", outcome="ok") or 0) > 5
    assert counted(one, "sluice_requests_total", arm="stable", outcome="upstream_5xx") == 0


async def test_a_canary_that_has_no_pod_left_has_failed(pods: Any) -> None:
    one = made()
    one.board.show(view((await pods(),), ()))
    await probed(one, lambda: one.sent["canary"] > 3)
    assert (counted(one, "sluice_requests_total", arm="canary", outcome="connect_error") or 0) > 3


async def test_every_pod_of_an_arm_is_probed(pods: Any) -> None:
    one = made()
    one.board.show(view((await pods(),), (await pods(), await pods(status=500))))
    await probed(one, lambda: one.sent["canary"] >= 10)
    ok = counted(one, "sluice_requests_total", arm="canary", outcome="ok")
    bad = counted(one, "sluice_requests_total", arm="canary", outcome="upstream_5xx")
    assert abs((ok or 0) - (bad or 0)) <= 1


@pytest.mark.parametrize("seen", [{"in_progress": False}, {"canary_started": False}])
def test_without_two_arms_nothing_is_probed(seen: dict[str, bool]) -> None:
    one = made()
    assert one.idle("stable", 0) and one.idle("canary", 0)  # before anything is known
    one.board.show(view(("http://a",), ("http://b",), **seen))
    assert one.idle("stable", 0) and one.idle("canary", 0)
    one.board.show(view(("http://a",), ("http://b",)))
    assert not one.idle("stable", 0) and not one.idle("canary", 0)


def test_every_outcome_exists_at_zero_when_the_release_begins() -> None:
    one = made()
    one.board.show(view(("http://a",), ("http://b",)))
    for arm in ("stable", "canary"):
        assert counted(one, "sluice_started_total", arm=arm) == 0
        assert counted(one, "sluice_slow_total", arm=arm, kind="added") == 0
        assert counted(one, "sluice_unmeasured_requests", arm=arm, kind="added") == 0
        assert {counted(one, "sluice_requests_total", arm=arm, outcome=name) for name in outcome.ALL} == {0}


def filled(stable: float, canary: float, first: str = "stable") -> gateways.Gateways:
    """Twenty-five times of each arm, one arm's before the other's."""
    one = made()
    one.board.show(view(("http://a",), ("http://b",)))
    times = {"stable": stable, "canary": canary}
    for arm in sorted(times, key=lambda arm: arm != first):
        for _ in range(25):
            one.pace.add((ROLLOUT, "v1.1.0-r2", "0", arm, "probe"), times[arm])
    return one


@pytest.mark.parametrize("first", ["stable", "canary"])
@pytest.mark.parametrize(("canary", "slow"), [(0.034, 25), (0.018, 0), (0.001, 0)])
def test_thirty_milliseconds_more_are_slow_and_a_little_is_not(canary: float, slow: int, first: str) -> None:
    one = filled(0.004, canary, first)
    assert counted(one, "sluice_slow_total", arm="canary", kind="added") == slow
    assert counted(one, "sluice_slow_total", arm="stable", kind="added") == 0
    bound = one.counters.registry.get_sample_value(
        "sluice_slow_bound_seconds",
        {"rollout": ROLLOUT, "release": "v1.1.0-r2", "source": "probe", "kind": "added", "origin": "measured"},
    )
    assert bound == pytest.approx(0.019)


def test_the_gate_is_told_how_many_probes_wait_for_a_bound() -> None:
    one = made()
    one.board.show(view(("http://a",), ("http://b",)))
    for _ in range(3):
        one.pace.add((ROLLOUT, "v1.1.0-r2", "0", "canary", "probe"), 0.4)
    assert counted(one, "sluice_unmeasured_requests", arm="canary", kind="added") == 3
    for _ in range(gateways.WANTED):
        one.pace.add((ROLLOUT, "v1.1.0-r2", "0", "stable", "probe"), 0.4)
    assert counted(one, "sluice_unmeasured_requests", arm="canary", kind="added") == 0
    assert counted(one, "sluice_unmeasured_requests", arm="stable", kind="added") == 0


def test_the_next_release_has_a_bound_of_its_own() -> None:
    one = filled(0.5, 0.5)
    for _ in range(25):
        one.pace.add((ROLLOUT, "v1.2.0-r3", "0", "canary", "probe"), 0.4)
    one.pace.add((ROLLOUT, "v1.2.0-r3", "0", "stable", "probe"), 0.001)
    where = {"rollout": ROLLOUT, "release": "v1.2.0-r3", "step": "0", "source": "probe", "arm": "canary"}
    read = one.counters.registry.get_sample_value
    assert not read("sluice_slow_total", where | {"kind": "added"})
    for _ in range(19):
        one.pace.add((ROLLOUT, "v1.2.0-r3", "0", "stable", "probe"), 0.001)
    assert read("sluice_slow_total", where | {"kind": "added"}) == 25


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("engine;dur=12.5", 0.0125), ("cache;dur=3, engine;dur=7", 0.007), ("engine", 0.0), ("", 0.0)],
)
def test_what_the_engine_took_is_not_the_gateways(said: str, seconds: float) -> None:
    assert gateways.engine_seconds({"server-timing": said}) == seconds
    assert gateways.added(answers.Answer(waited=0.05, headers={"server-timing": said})) == pytest.approx(0.05 - seconds)


async def test_a_slow_pod_is_told_from_a_slow_engine(pods: Any) -> None:
    """Both arms take 20 ms; stable's pod says that its engine took longer than that."""
    one = made()
    slow_engine, slow_pod = await pods(takes=0.02, engine="engine;dur=60000"), await pods(takes=0.02, engine="")
    one.board.show(view((slow_engine,), (slow_pod,)))
    await probed(one, lambda: min(one.sent.values()) > gateways.WANTED)
    assert set(one.pace.stable) == {0.0}
    assert (counted(one, "sluice_slow_total", arm="canary", kind="added") or 0) >= gateways.WANTED
