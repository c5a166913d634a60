import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.arms import Arms
from app.call import Call
from app.errors import Busy, Refusal
from app.flags import NOTHING, Flags
from app.gateway import Gateway, Place, headers
from app.person import Person
from app.settings import Settings
from tests.app.conftest import Door, Engine, opened

ANYBODY = Person()
VARIANTS = {"cool": {"parameters": {"temperature": 0.2}}, "plain": {}}


def flags(**more: Any) -> Flags:
    one = {"state": "ENABLED", "variants": VARIANTS, "defaultVariant": "plain", **more}
    return Flags({"flags": {"variant": one}})


def asked(source: str = "user", user: str = "") -> Call:
    return Call("/v1/completions", b"{}", False, False, user, source, None, "id-1")


@pytest.fixture
def gateway(door: Door) -> Gateway:
    return door.gateway


def begun(gateway: Gateway, place: Place | None = None, source: str = "user") -> Any:
    return gateway.begin(asked(source), None, place or gateway.place(ANYBODY, None, source))


async def test_without_a_release_everybody_is_on_stable(gateway: Gateway) -> None:
    assert {gateway.place(Person(f"u{n}"), None, "user").arm for n in range(50)} == {"stable"}


async def test_a_probe_that_wants_the_canary_is_told_when_there_is_none(gateway: Gateway, canary: Any) -> None:
    with pytest.raises(Refusal) as refused:
        gateway.place(ANYBODY, "canary", "probe")
    assert (refused.value.status, refused.value.code) == (409, "no_canary")

    gateway.board.show(canary(0))
    assert gateway.place(ANYBODY, "canary", "probe").arm == "canary"
    assert gateway.place(ANYBODY, None, "probe").arm == "stable"


async def test_a_probe_has_the_default_variant_whatever_the_rules_say(gateway: Gateway) -> None:
    gateway.flag_file.now = flags(targeting={"if": [True, "cool", "plain"]})

    assert gateway.place(ANYBODY, None, "probe").chosen.name == "plain"
    assert gateway.place(ANYBODY, None, "user").chosen.name == "cool"


async def test_a_rule_may_ask_for_the_arm_that_was_chosen(gateway: Gateway, canary: Any) -> None:
    gateway.flag_file.now = flags(targeting={"if": [{"==": [{"var": "arm"}, "canary"]}, "cool", "plain"]})
    gateway.board.show(canary(50))

    places = [gateway.place(Person(f"u{n}"), None, "user") for n in range(50)]

    assert {(place.arm, place.chosen.name) for place in places} == {("canary", "cool"), ("stable", "plain")}


async def test_before_an_engine_is_known_it_is_busy(gateway: Gateway) -> None:
    gateway.board.arms = None

    with pytest.raises(Busy) as refused:
        gateway.place(ANYBODY, None, "user")
    assert (refused.value.status, refused.value.headers["retry-after"]) == (503, "1")


async def test_one_request_too_many_is_refused_and_not_counted_as_begun(settings: Settings) -> None:
    async with opened(settings.model_copy(update={"max_inflight": 1})) as door:
        first = begun(door.gateway)
        with pytest.raises(Busy) as refused:
            begun(door.gateway)
        first.end("ok")

        begun(door.gateway).end("ok")  # its place is free again

        assert refused.value.status == 429
        assert door.count("sluice_started_total") == 2


@pytest.mark.parametrize(("arm", "earned"), [("stable", True), ("canary", False)])
async def test_only_what_stable_is_asked_earns_rescues(gateway: Gateway, canary: Any, arm: str, earned: bool) -> None:
    gateway.board.show(canary(50))
    gateway.budget.left = 0.0

    begun(gateway, Place(gateway.arms, arm)).end("ok")

    assert (gateway.budget.left > 0) is earned


async def test_an_exchange_knows_its_variant_only_where_there_are_variants(gateway: Gateway) -> None:
    assert begun(gateway, Place(gateway.arms, "stable", NOTHING)).variant == ""

    gateway.flag_file.now = flags()
    assert begun(gateway).variant == "plain"


async def test_a_drain_gives_what_runs_its_time_and_then_tells_it(settings: Settings, engine: Engine) -> None:
    engine.mode = "hang"
    patient = {"drain_seconds": 0.2, "first_token_seconds": 20, "whole_seconds": 20, "total_seconds": 20}
    async with opened(settings.model_copy(update=patient)) as door:
        work = asyncio.create_task(door.post("/v1/completions", {"prompt": "a"}))
        async with asyncio.timeout(5):
            while not engine.running:
                await asyncio.sleep(0.01)
        door.gateway.drain(asyncio.get_running_loop())
        ready, _ = await door.get("/readyz")
        status, said, content = await work

        assert (ready, status, said["retry-after"]) == (503, 503, "1")
        assert b"shutting_down" in content
        assert door.outcomes() == {"rejected": 1}


ARMS: Callable[[], Arms] = lambda: Arms("n/llm", "v2-r3", "v2", True, 5, ("http://a",))  # noqa: E731


async def test_an_answer_says_who_gave_it_and_a_probes_also_what_is_judged(gateway: Gateway) -> None:
    gateway.board.show(ARMS())
    users = dict(headers(gateway.arms, begun(gateway), asked()))
    probes = dict(headers(gateway.arms, begun(gateway, source="probe"), asked("probe")))

    same = {b"x-request-id": b"id-1", b"x-sluice-version": b"v2", b"x-sluice-variant": b"none", b"x-sluice-step": b"5"}
    assert {name: users[name] for name in same} == same
    judged = {b"x-sluice-rollout": b"n/llm", b"x-sluice-release": b"v2-r3"}
    assert set(probes) - set(users) == set(judged)
    assert {name: probes[name] for name in judged} == judged


async def test_what_no_engine_took_part_in_has_the_version_and_no_variant(settings: Settings) -> None:
    async with opened(settings.model_copy(update={"version": "v7"})) as door:
        async with door.session.get(door.url + "/v1/models") as reply:
            assert (reply.headers["x-sluice-version"], reply.headers["x-sluice-variant"]) == ("v7", "none")
        door.gateway.board.show(ARMS())
        async with door.session.get(door.url + "/v1/models") as reply:
            assert reply.headers["x-sluice-version"] == "v2"


async def test_a_fault_of_our_own_has_them_too_though_an_engine_was_chosen(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.relay.Attempt.head", lambda attempt: 1 / 0)
    async with (
        opened(settings.model_copy(update={"version": "v7"})) as door,
        door.session.post(door.url + "/v1/completions", json={"prompt": "a"}) as reply,
    ):
        assert reply.status == 500
        assert (reply.headers["x-sluice-version"], reply.headers["x-sluice-variant"]) == ("v7", "none")
