from typing import Any

import pytest

from release.ab import compared, interval, table, wilson


def query(variant: str, ttft: float, outcome: str = "ok") -> dict[str, Any]:
    of = {"variant": variant, "version": "v1", "arm": "stable", "outcome": outcome}
    return of | {"ttft_seconds": ttft, "tokens": 10, "checks": None}


def test_an_interval_is_the_textbook_s() -> None:
    assert interval([1, 2, 3, 4, 5]) == pytest.approx((3, 1.614, 4.386), abs=1e-3)


def test_one_value_bounds_nothing() -> None:
    assert interval([1]) is None


def test_a_share_of_all_stays_below_certainty() -> None:
    assert wilson(10, 10) == pytest.approx((1, 0.7225, 1), abs=1e-3)


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


def test_each_check_has_its_share_of_the_answers_that_it_was_made_of() -> None:
    results = ['{"empty": true, "json": false}', '{"empty": false}', '{"empty": false}', None]
    queries = [query("a", 1) | {"checks": one} for one in results]

    (row,) = compared(queries, [])

    assert row["checks"]["empty"] == pytest.approx(wilson(1, 3))
    assert row["checks"]["json"] == pytest.approx(wilson(0, 1))
    assert "empty bad 0.333 [0.0615, 0.792]" in table([row])[0]
