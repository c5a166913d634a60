import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from perf import awake, cpu

SECONDS = 60.0


def children() -> list[int]:
    return [pid for pid in cpu.family(os.getpid()) if Path(f"/proc/{pid}/cmdline").read_bytes().count(b"perf.awake")]


def until(wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_core_is_busy_with_what_yields_to_all_others_and_ends_with_it() -> None:
    core = min(os.sched_getaffinity(0))
    with awake.cores([core]):
        until(lambda: len(children()) == 1)
        (pid,) = children()
        until(lambda: os.sched_getscheduler(pid) == os.SCHED_IDLE)
        assert os.sched_getaffinity(pid) == {core}
        until(lambda: cpu.seconds_of(pid) > 0.1)
    assert children() == []


def test_it_ends_also_when_whoever_wanted_it_is_killed() -> None:
    code = "from perf import awake\nwith awake.cores([0]): print(awake.os.getpid(), flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()
    until(lambda: len(cpu.family(parent.pid)) == 2)
    (pid,) = cpu.family(parent.pid)[1:]
    until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().count(b"perf.awake") > 0)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not Path(f"/proc/{pid}").exists())
