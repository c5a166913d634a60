"""Processes that outlived the run that started them, found by a mark in their environment, which a child inherits.

A run that is interrupted ends its own children; engines that they started in sessions of their own stay.
GitHub's runner ends those of its jobs by the same variable.
"""

import os
import signal
import time
from pathlib import Path

from lab.process import POLL_SECONDS, send, started_ticks

MARK = "RUNNER_TRACKING_ID"
SECONDS = 15.0  # to end by themselves


def marked(value: str) -> list[int]:
    """The ids of all processes that have this mark, but for our own."""
    word, found = f"{MARK}={value}".encode(), []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:  # it has ended, or is another user's
            continue
        pid = int(file.parent.name)
        if word in words and pid != os.getpid() and started_ticks(pid):
            found.append(pid)
    return found


def end(value: str, seconds: float = SECONDS) -> None:
    """Ask them to end, and kill what then is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in marked(value):
            send(pid, number)
        until = time.monotonic() + seconds
        while marked(value) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
