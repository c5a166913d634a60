import math
import random
from typing import Any

import pytest

from release.ab import compared, interval, share, table, wilson


def query(variant: str, ttft: float, outcome: str = "ok", user: str = "") -> dict[str, Any]:
    of = {"variant": variant, "version": "v1", "arm": "stable", "outcome": outcome, "user_hash": user}
    return of | {"ttft_seconds": ttft, "tokens": 10, "checks": None}


def test_an_interval_is_the_textbook_s() -> None:
    for users in ("abcde", ["", "", "", "", ""]):
        assert interval(list(zip(users, range(1, 6), strict=True))) == pytest.approx((3, 1.614, 4.386), abs=1e-3)


@pytest.mark.parametrize("rows", [[], [("ann", 1.0)], [("ann", 1.0), ("ann", 0.0)]])
def test_one_user_bounds_nothing(rows: list[tuple[str, float]]) -> None:
    assert interval(rows) is share(rows) is None


def test_saying_the_same_again_makes_nothing_surer() -> None:
    once = [("ann", 1.0), ("bob", 0.0), ("cy", 1.0), ("di", 0.0)]

    assert interval(once * 25) == pytest.approx(interval(once))
    few, many = share(once), share(once * 25)
    assert few and many and many[1] <= few[1] < few[2] <= many[2]


def test_users_of_different_number_weigh_as_their_rows() -> None:
    rows = [("ann", 1.0)] * 3 + [("bob", 4.0)] + [("cy", 2.0)] * 2
    sums = (3 - 3 * 11 / 6, 4 - 11 / 6, 4 - 2 * 11 / 6)  # of each user, without what the mean makes of it
    error = math.sqrt(3 / 2 * sum(one**2 for one in sums)) / 6

    assert interval(rows) == pytest.approx((11 / 6, 11 / 6 - 1.96 * error, 11 / 6 + 1.96 * error), rel=1e-4)


def test_the_interval_holds_what_is_true_19_times_in_20_though_users_have_habits() -> None:
    chance = random.Random(7)  # noqa: S311 - the same in every run

    def held() -> bool:
        rows = []
        for user in range(200):
            habit = chance.gauss(0, 1)
            rows += [(str(user), habit + chance.gauss(0, 1)) for _ in range(chance.randint(1, 9))]
        found = interval(rows)
        return found is not None and found[1] <= 0 <= found[2]

    assert 0.91 <= sum(held() for _ in range(400)) / 400 <= 0.98  # four standard deviations


def test_a_share_of_all_stays_below_certainty() -> None:
    assert wilson(1, 10) == pytest.approx((1, 0.7225, 1), abs=1e-3)
    assert share([(user, True) for user in "abcdefghij"]) == pytest.approx((1, 0.7225, 1), abs=1e-3)


def test_variants_are_kept_apart() -> None:
    queries = [query("a", 1), query("a", 3), query("b", 5, "timeout_ttft"), query("b", 7)]

    rows = compared(queries, [query("b", 5) | {"rating": 1}])

    assert [(one["variant"], one["n"], one["ok"][0], one["ttft_seconds"][0]) for one in rows] == [
        ("a", 2, 1, 2),
        ("b", 2, 0.5, 6),
    ]
    assert "rating too few" in table(rows)[1]


def test_a_query_that_never_said_how_it_ended_counts_for_its_rating_alone() -> None:
    killed = query("a", 9, outcome="") | {"rating": 5}

    (one,) = compared([query("a", 1), query("a", 3), killed], [killed, query("a", 1) | {"rating": 4}])

    assert (one["n"], one["ok"][0], one["ttft_seconds"][0], one["rating"][0]) == (2, 1, 2, 4.5)


def test_the_report_knows_whose_its_rows_are() -> None:
    said = {"rating": 1, "checks": '{"empty": true}'}
    rows = [query("a", ttft, user="ann") | said for ttft in (1, 2)]

    (one,) = compared(rows, rows)

    assert (one["n"], one["ok"], one["checks"]["empty"]) == (2, None, None)
    assert {one[name] for name in ("rating", "ttft_seconds", "tokens")} == {None}


def test_each_check_has_its_share_of_the_answers_that_it_was_made_of() -> None:
    results = ['{"empty": true, "json": false}', '{"empty": false}', '{"empty": false}', None]
    queries = [query("a", 1) | {"checks": one} for one in results]

    (row,) = compared(queries, [])

    assert row["checks"]["empty"] == pytest.approx(wilson(1 / 3, 3))
    assert row["checks"]["json"] is None
    assert "empty bad 0.333 [0.0615, 0.792]" in table([row])[0]
