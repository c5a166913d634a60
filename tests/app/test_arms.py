import math

import pytest

from app.arms import CANARY, STABLE, Arms, Board, place, static
from app.settings import Settings

USERS = [f"user-{number}" for number in range(10_000)]


def arms(weight: float, in_progress: bool = True) -> Arms:
    return Arms("n/llm", "v2-r2", "v2", in_progress, weight, ("http://s",), ("http://c",))


def on_canary(weight: float) -> set[str]:
    return {user for user in USERS if arms(weight).choose(user, "salt") == CANARY}


@pytest.mark.parametrize("weight", [1, 5, 25, 50])
def test_the_share_is_the_weight_within_three_deviations(weight: float) -> None:
    share = weight / 100
    allowed = 3 * math.sqrt(len(USERS) * share * (1 - share))

    assert abs(len(on_canary(weight)) - len(USERS) * share) <= allowed


def test_nobody_leaves_the_canary_while_its_weight_grows() -> None:
    assert on_canary(1) < on_canary(5) < on_canary(25) < on_canary(100)


def test_another_salt_moves_other_users() -> None:
    assert {user for user in USERS if place(user, "other") < 5} != on_canary(5)


def test_without_an_id_the_share_is_drawn_at_random() -> None:
    drawn = sum(arms(25).choose("", "salt") == CANARY for _ in range(4000))

    assert 800 < drawn < 1200


def test_without_a_release_in_progress_everybody_is_on_stable() -> None:
    settled = arms(25, in_progress=False)

    assert {settled.choose(user, "salt") for user in USERS} == {STABLE}
    assert settled.step == "100"


def test_the_step_is_the_weight_as_a_whole_number() -> None:
    assert [arms(weight).step for weight in (0.0, 1.0, 25.0)] == ["0", "1", "25"]


def test_listeners_hear_of_each_new_view_once() -> None:
    heard: list[Arms] = []
    board = Board(heard.append)
    for view in (arms(1), arms(1), arms(5)):
        board.show(view)

    assert heard == [arms(1), arms(5)]


def test_static_arms_come_from_the_settings() -> None:
    found = static(Settings(stable_urls="http://a/, http://b", canary_urls="http://c", canary_weight=5))

    assert (found.stable, found.canary, found.weight) == (("http://a", "http://b"), ("http://c",), 5)
