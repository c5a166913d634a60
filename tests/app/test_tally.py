from app.tally import count


def test_what_comes_and_goes_leaves_nothing() -> None:
    tally: dict[str, int] = {}
    for name, more in (("one", 2), ("other", 1), ("one", -1)):
        count(tally, name, more)
    assert tally == {"one": 1, "other": 1}

    count(tally, "one", -1)
    count(tally, "new", 0)
    assert tally == {"other": 1}
