import pytest

from release.figure import Frame, bar, minutes, path, round_top, stairs, svg, text, times

FRAME = Frame(10, 20, 100, 50, 0, 60, 0, 100)


def test_time_goes_right_and_values_go_up() -> None:
    assert (FRAME.x(0), FRAME.x(60)) == (10, 110)
    assert (FRAME.y(0), FRAME.y(100)) == (70, 20)


def test_values_beyond_the_frame_stay_inside() -> None:
    log = Frame(0, 0, 100, 120, 0, 1, 1e-3, 1e9, log=True)
    assert (log.y(1e300), log.y(0), log.y(1)) == (0, 120, 90)


def test_a_square_root_scale_shows_one_percent() -> None:
    root = Frame(0, 0, 100, 100, 0, 1, 0, 100, root=True)
    assert [root.y(weight) for weight in (0, 1, 25, 100)] == [100, 90, 50, 0]


def test_a_weight_holds_until_the_next() -> None:
    assert stairs(FRAME, [(0, 0), (30, 100)]) == [(10, 70), (60, 70), (60, 20)]


@pytest.mark.parametrize(("seconds", "words"), [(5, "0:05"), (65, "1:05"), (7800, "2:10:00")])
def test_a_moment_is_written_like_a_clock(seconds: float, words: str) -> None:
    assert minutes(seconds) == words


def test_the_time_axis_has_round_moments_however_long_the_run() -> None:
    assert times(FRAME, 6) == [0, 10, 20, 30, 40, 50, 60]
    for end in (1, 700, 90_000, 3_000_000):
        assert 2 <= len(times(Frame(0, 0, 1, 1, 0, end, 0, 1), 9)) <= 10


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1.2, 2), (12.4, 20), (50, 50), (51, 100)])
def test_an_axis_ends_on_a_round_number(value: float, top: float) -> None:
    assert round_top(value) == top


def test_words_cannot_become_markup() -> None:
    assert "<b>" not in text(0, 0, "<b>") + bar(0, 0, 1, 1, "x", "<b>") + svg(1, 1, "<b>", [])


def test_no_points_draw_nothing() -> None:
    assert path([], "stroke") == ""
