from lab import aftermath


def test_what_is_new_is_left_over_and_what_was_there_is_not() -> None:
    before = {"mounts": ["/a"], "processes": []}
    after = {"mounts": ["/a", "/b", "/c"], "processes": []}

    assert aftermath.left_over(before, after) == ["left behind: 2 mounts, like /b"]
    assert aftermath.left_over(after, before) == []


def test_the_machine_is_looked_at_in_every_way_that_a_cluster_leaves_traces() -> None:
    seen = aftermath.seen()

    assert "lo" in seen["network interfaces"]
    assert "/proc" in seen["mounts"]
