import pytest

from app.errors import Busy
from app.room import GREED, PART, Hold, Room


def filled(room: Room, size: int, key: str = "") -> list[Hold]:
    """As many of this size as find room."""
    found = []
    try:
        while True:
            hold = room.hold(key)
            hold.grow(size)
            found.append(hold)
    except Busy:
        return found


def test_one_request_gets_a_part_of_what_is_free_and_no_more() -> None:
    hold = Room(PART * 100).hold()
    hold.grow(60)
    hold.grow(100)
    with pytest.raises(Busy) as refused:
        hold.grow(101)

    assert (refused.value.status, refused.value.code, hold.room.taken) == (429, "no_room", 100)


def test_where_large_ones_find_no_room_small_ones_do() -> None:
    room = Room(100_000)
    large = filled(room, 1000)

    assert len(large) > 85
    assert len(filled(room, 100)) > 10
    assert room.taken <= room.most


def test_one_key_leaves_room_for_others() -> None:
    room = Room(100_000)
    held = sum(one.size for one in filled(room, 100, "greedy"))

    assert held == pytest.approx(room.most * GREED / (GREED + 1), abs=100)
    with pytest.raises(Busy, match="this key"):
        room.hold("greedy").grow(100)
    room.hold("other").grow(1000)
    room.hold().grow(1000)


def test_what_ends_gives_all_it_held_back_however_it_ends() -> None:
    room = Room(1000)
    with pytest.raises(ZeroDivisionError), room.hold("team") as hold:
        hold.grow(50)
        hold.grow(20)  # less than it holds: nothing changes
        assert (room.taken, room.held["team"]) == (50, 50)
        raise ZeroDivisionError
    hold.free()

    assert (room.taken, dict(room.held), hold.size) == (0, {}, 0)
