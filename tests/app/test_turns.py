import asyncio
import functools
import itertools
from collections import deque

import pytest

from app.turns import EACH, NONE, REFUSING_SECONDS, Turns


def still() -> float:
    """A clock by which every turn is short."""
    return 0.0


async def turned() -> None:
    """The loop has come round once."""
    seen = asyncio.Event()
    asyncio.get_running_loop().call_soon(seen.set)
    await seen.wait()


def put(turns: Turns, done: list[str], *names: str) -> None:
    """Work by name, whose first letter is its key."""
    for name in names:
        work = functools.partial(done.append, name)
        if turns.room():
            work()
        else:
            turns.wait(name[0], work)


async def test_what_there_is_room_for_is_done_at_once_and_in_every_turn_there_is_room_again() -> None:
    turns, done = Turns(2, still), list[str]()
    for _ in range(3):
        put(turns, done, "a1", "a2")
        assert done == ["a1", "a2"]
        await turned()
        done.clear()


async def test_what_is_too_much_for_one_turn_is_done_in_the_next_ones_and_in_its_order() -> None:
    turns, done = Turns(2, still), list[str]()
    put(turns, done, *(names := ["a1", "a2", "a3", "a4", "a5", "a6"]))

    seen = []
    for _ in range(3):
        seen.append(len(done))
        turns.turn()

    assert seen == [2, 4, 6]
    assert done == names
    assert not turns.waiting


async def test_whoever_has_little_to_do_waits_for_nobody_who_has_much() -> None:
    turns, done = Turns(2, still), list[str]()
    put(turns, done, *(f"a{number}" for number in range(100)), "b0", "c0", "b1")
    while turns.waiting:
        await turned()

    assert done[:2] == ["a0", "a1"]
    assert set(done[2:7]) == {"a2", "a3", "b0", "b1", "c0"}
    assert len(done) == 103


def test_some_of_whoever_has_nothing_waiting_are_done_in_a_full_turn_too() -> None:
    turns = Turns(2, still)
    turns.waiting = {"a": deque([lambda: None] * 3)}

    assert not turns.room()
    assert not turns.first("a")
    assert [turns.first("b") for _ in range(EACH + 1)] == [True] * EACH + [False]
    assert [turns.first(key) for key in ("c", "d")] == [True, False]
    turns.waiting.clear()
    turns.turn()
    assert turns.first("b")


async def test_less_is_done_after_a_long_turn_and_more_after_a_short_one() -> None:
    seconds = itertools.count()
    turns = Turns(8, lambda: float(next(seconds)))
    turns.waiting = {"a": deque([lambda: None] * 100)}

    def most(number: int) -> list[int]:
        found = []
        for _ in range(number):
            turns.turn()
            found.append(turns.most)
        return found

    none = [0] * NONE
    assert most(4 + 2 * NONE) == [4, 2, 1, *none, 1, *none]
    turns.clock = lambda: turns.began
    assert most(10) == [1, 2, 3, 4, 5, 6, 7, 8, 8, 8]


async def test_in_each_turn_some_are_done_of_two_who_have_little_to_do_however_long_turns_are() -> None:
    seconds = itertools.count()
    turns, done = Turns(8, lambda: float(next(seconds))), list[str]()
    turns.most, turns.turning = 0, True
    turns.done = turns.size
    little = [f"{key}{number}" for key in "bcd" for number in range(EACH + 1)]
    put(turns, done, *(f"a{number}" for number in range(100)), *little)
    seen = []
    for _ in range(3):  # too long for anything of a's
        done.clear()
        turns.turn()
        seen.append("".join(sorted(name[0] for name in done)))

    assert seen == ["b" * EACH + "c" * EACH, "b" + "d" * EACH, "cd"]


async def test_nothing_overtakes_what_waits() -> None:
    turns, done = Turns(1, still), list[str]()
    put(turns, done, "a1", "a2", "a3")
    await turned()
    put(turns, done, "a4")
    while turns.waiting:
        await turned()

    assert done == ["a1", "a2", "a3", "a4"]


async def test_work_that_fails_is_told_to_the_loop_and_holds_nothing_up() -> None:
    turns, done, told = Turns(1, still), list[str](), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))

    def fails() -> None:
        raise RuntimeError("work failed")

    put(turns, done, "a1")
    turns.wait("a", fails)
    put(turns, done, "a2")
    for _ in range(3):
        await turned()

    assert (done, told) == (["a1", "a2"], ["work failed"])


@pytest.mark.parametrize("room", [1, 8])
async def test_a_loop_with_nothing_to_do_is_let_alone(room: int) -> None:
    turns = Turns(room)
    put(turns, [], "a1")
    await turned()

    assert not turns.turning


async def test_refusals_take_a_bounded_part_of_each_turn_and_are_given_in_their_order() -> None:
    seconds, done = itertools.count(0, REFUSING_SECONDS / 4), list[int]()
    turns = Turns(1, lambda: next(seconds))
    turns.refusals.extend(functools.partial(done.append, number) for number in range(7))
    turns.turning = True
    parts = []
    while turns.refusals:
        turns.turn()
        parts.append(len(done))

    assert parts == [3, 6, 7]
    assert done == list(range(7))


def test_what_has_just_begun_may_have_no_place_yet_and_counts_until_the_next_turn() -> None:
    turns = Turns(3, still)
    turns.turning = True
    turns.requests["a"] = 2
    assert [turns.room() for _ in range(4)] == [True, True, True, False]
    assert turns.before("a") == 5
    turns.turn()
    assert turns.before("a") == 2
