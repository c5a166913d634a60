import pytest

from app.arms import Arms
from app.errors import Busy
from app.keys import Key
from app.settings import Settings
from app.slots import ALONE, Slots
from tests.app.conftest import opened


def key(name: str, concurrency: int | None = None) -> Key:
    return Key(name=name, sha256="0" * 64, concurrency=concurrency)


def taken(slots: Slots, one: Key | None) -> int:
    number = 0
    try:
        while True:
            slots.take(one)
            number += 1
    except Busy:
        return number


def test_nobody_comes_in_when_all_places_are_taken() -> None:
    slots = Slots(5)

    assert taken(slots, None) == 5
    slots.free(None)
    assert taken(slots, None) == 1


def test_those_that_came_sooner_and_wait_count_as_if_they_were_in() -> None:
    slots, one = Slots(100), key("one", concurrency=3)
    slots.take(one)

    assert slots.refusal(one, before=1) is None
    for who, before, code in ((one, 2, "concurrency_exceeded"), (key("two"), 80, "unfair"), (None, 99, "overloaded")):
        refusal = slots.refusal(who, before)
        assert refusal
        assert refusal.code == code


def test_a_greedy_key_leaves_places_for_others() -> None:
    slots = Slots(100)

    assert taken(slots, key("greedy")) == 80
    assert taken(slots, key("late")) == 16


def test_two_keys_that_come_at_once_get_the_same() -> None:
    slots, one, other = Slots(90), key("one"), key("other")
    for _ in range(90):
        for each in (one, other):
            try:
                slots.take(each)
            except Busy:
                continue

    assert abs(slots.held["one"] - slots.held["other"]) <= 1
    assert slots.held["one"] >= 39


def test_a_keys_own_limit_holds_and_its_places_come_back() -> None:
    slots, one = Slots(100), key("one", concurrency=3)

    assert taken(slots, one) == 3
    slots.free(one)
    assert taken(slots, one) == 1
    for _ in range(3):
        slots.free(one)
    assert (slots.taken, len(slots.held)) == (0, 0)


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1"])
async def test_a_keys_own_limit_says_whether_it_is_this_pods_alone(settings: Settings, url: str) -> None:
    async with opened(settings.model_copy(update={"limits_url": url})) as door:
        slots, one = door.gateway.slots, key("one", concurrency=1)
        slots.take(one)
        with pytest.raises(Busy) as refused:
            slots.take(one)
        slots.free(one)

    assert (ALONE in refused.value.message) == (not url)


def test_a_single_place_can_be_taken_by_a_key() -> None:
    with pytest.raises(Busy):
        Slots(0).take(key("one"))
    Slots(1).take(key("one"))


def test_looking_takes_no_place_and_refuses_as_taking_does() -> None:
    slots, one = Slots(10), key("one", concurrency=1)
    slots.look(one)
    assert (slots.taken, len(slots.held)) == (0, 0)

    slots.take(one)
    with pytest.raises(Busy):
        slots.look(one)
    slots.look(key("other"))


@pytest.mark.parametrize(
    ("stable", "canary", "gateways", "most"),
    [
        (1, 0, 1, 10),
        (3, 0, 1, 30),
        (3, 1, 1, 40),
        (3, 0, 2, 30),  # nearly everybody may be on one of them
        (3, 0, 4, 15),
        (1, 0, 3, 7),  # rounded up: every gateway takes somebody
        (50, 0, 1, 100),  # its own limit holds as well
        (0, 0, 1, 10),  # no engine is ready: that is no reason for a 429
    ],
)
def test_places_are_those_of_the_engines_shared_by_the_gateways(
    stable: int, canary: int, gateways: int, most: int
) -> None:
    slots = Slots(100, per_engine=10)
    urls = [f"http://{number}" for number in range(stable + canary)]
    arms = Arms("n/llm", "v2-r2", "v2", True, 5, tuple(urls[:stable]), tuple(urls[stable:]), gateways=gateways)
    slots.fit(arms)

    assert taken(slots, None) == most


def test_without_a_limit_per_engine_their_number_does_not_matter() -> None:
    slots = Slots(100)
    slots.fit(Arms("n/llm", "v2-r2", "v2", False, 0, ("http://a",)))

    assert taken(slots, None) == 100
