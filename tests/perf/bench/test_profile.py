from perf.bench import profile

STACKS = """\
main (app/__main__.py:9);relay (app/relay.py:30);loads (json/__init__.py:300) 60
main (app/__main__.py:9);relay (app/relay.py:30) 30
main (app/__main__.py:9);select (selectors.py:1) 10
run (threading.py:1);_worker (concurrent/futures/thread.py:81) 100
not a stack
"""


def test_functions_are_named_by_their_own_time_and_ours_by_all_they_called() -> None:
    assert profile.lines(STACKS) == [
        " 60.0% own   loads (json/__init__.py:300)",
        " 30.0% own   relay (app/relay.py:30)",
        " 10.0% own   select (selectors.py:1)",
        "100.0% under main (app/__main__.py:9)",
        " 90.0% under relay (app/relay.py:30)",
    ]


def test_where_nobody_may_look_there_is_no_profile() -> None:
    assert profile.lines("") == []
