import io
import json
from collections.abc import Callable

from rich.console import Console

from release.cluster import State
from release.prometheus import FAIL, Evidence
from release.screen import Board, Events, Lines, screen, view
from release.watch import Event, Snapshot

Make = Callable[..., State]
EVIDENCE = (Evidence("bad-share", "user", "5", 24, 9, 480, 1, FAIL, {"tolerated": 5e8, "stable": 4e6}),)


def console(terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), width=160, force_terminal=terminal, highlight=False)


def written(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def test_a_terminal_gets_a_table_a_log_lines_a_script_json() -> None:
    assert type(screen(console(terminal=True), as_json=False)) is Board
    assert type(screen(console(), as_json=False)) is Lines
    assert type(screen(console(terminal=True), as_json=True)) is Events


def test_an_event_is_one_line_of_json_with_its_figures() -> None:
    where = console()
    Events(where).event(Event("gate", "failed [bold]", {"n": 24}))
    (line,) = written(where).splitlines()
    assert json.loads(line) | {"time": ""} == {"time": "", "event": "gate", "text": "failed [bold]", "n": 24}


def test_a_long_line_is_not_broken_in_a_log() -> None:
    where = console()
    Lines(where).event(Event("message", "x" * 400))
    assert len(written(where).splitlines()) == 1


def test_a_log_shows_now_and_then_that_someone_is_there(state: Make) -> None:
    where = console()
    lines = Lines(where)
    for seconds in (1.0, 14.0, 16.0, 20.0):
        lines.show(Snapshot(state(), EVIDENCE, seconds=seconds))
    assert written(where).count("9 of 24 bad") == 1


def test_the_table_shows_weight_counts_evidence_and_verdict(state: Make) -> None:
    where = console()
    where.print(view(Snapshot(state(), EVIDENCE, seconds=65)))
    text = written(where)
    for words in ("v1.1.0-r2", "5 %", "1:05", "bad-share", "24", "5e+08", "4e+06", "fail"):
        assert words in text


def test_a_cluster_that_is_away_is_seen_in_the_table(state: Make) -> None:
    where = console()
    where.print(view(Snapshot(state(), away="cluster does not answer")))
    assert "cluster does not answer" in written(where)


def test_the_live_table_ends_cleanly(state: Make) -> None:
    where = console(terminal=True)
    with screen(where, as_json=False) as shown:
        shown.show(Snapshot(state(), EVIDENCE))
        shown.event(Event("step", "canary at 5 %"))
    assert "canary at 5 %" in written(where)
