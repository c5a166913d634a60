"""Where a watch is shown: a live table on a terminal, plain lines in a log, JSON for a script."""

import json
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from release.prometheus import Evidence
from release.watch import Event, Snapshot, progress, told

HEARTBEAT = 15.0  # seconds between two lines of figures where nothing else happens
KINDS = ("tolerated", "stable", "unacceptable")
COLOURS = {1: "green", 0: "dim", -1: "bold red"}


class Lines:
    """One line per event, and the figures now and then, so that a log shows that someone is still there."""

    def __init__(self, console: Console) -> None:
        self.console, self.last = console, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None

    def event(self, event: Event) -> None:
        self.console.print(Text(f"{clock()}  {event.text}"), soft_wrap=True)

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.seconds - self.last < HEARTBEAT:
            return
        self.last = snapshot.seconds
        latest = [one for one in snapshot.evidence if one.step == snapshot.evidence[-1].step]
        for line in [told(one) for one in latest] or [progress(snapshot.state)]:
            self.console.print(Text(f"{clock()}  … {line}"), soft_wrap=True)


class Events(Lines):
    """A line of JSON per event."""

    def event(self, event: Event) -> None:
        line = {"time": datetime.now(UTC).isoformat(), "event": event.kind, "text": event.text} | event.figures
        self.console.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.console.file.flush()

    def show(self, snapshot: Snapshot) -> None:
        return None


class Board(Lines):
    """Events scroll by above a table that stays."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.live.stop()

    def show(self, snapshot: Snapshot) -> None:
        self.live.update(view(snapshot))


def screen(console: Console, as_json: bool) -> Lines:
    if as_json:
        return Events(console)
    return Board(console) if console.is_terminal else Lines(console)


def view(snapshot: Snapshot) -> Group:
    """The table of the step in progress under one line of where the release stands."""
    state = snapshot.state
    bar = "█" * round(state.weight / 4) + "░" * (25 - round(state.weight / 4))
    minutes, seconds = divmod(int(snapshot.seconds), 60)
    head = Text.assemble((f"{state.release} ", "bold"), (bar, "cyan"), f" {state.weight} %  {minutes}:{seconds:02d}  ")
    head.append(snapshot.away or state.message or progress(state), style="yellow" if snapshot.away else "dim")
    return Group(head, table(snapshot.evidence) if snapshot.evidence else Text(snapshot.silent or "no figures yet"))


def table(evidence: tuple[Evidence, ...]) -> Table:
    grid = Table("step", "gate", "source", box=None, header_style="dim", pad_edge=False)
    for name in ("n", "c", "worse than tolerated", "than stable", "fit to pass"):
        grid.add_column(name, justify="right")
    grid.add_column("verdict")
    for one in evidence:
        values = [f"{one.values[key]:.3g}" if key in one.values else "–" for key in KINDS]
        verdict = Text(one.word, style=COLOURS.get(one.verdict, ""))
        grid.add_row(f"{one.step} %", one.gate, one.source, f"{one.n}", f"{one.c}", *values, verdict)
    return grid


def clock() -> str:
    return datetime.now(UTC).strftime("%H:%M:%S")
