"""Processes that outlived the run that started them, found by a mark in their environment, which a child inherits.

A run that is interrupted ends its own children; engines that they started in sessions of their own stay.
GitHub's runner ends those of its jobs by the same variable.
"""

import signal
import time

from lab.process import POLL_SECONDS, every, send

MARK = "RUNNER_TRACKING_ID"
SECONDS = 15.0  # to end by themselves


def marked(value: str) -> list[int]:
    """The ids of all processes that have this mark; one that has ended and is not yet collected has none."""
    word = f"{MARK}={value}".encode()
    return [pid for pid, environ in every("environ") if word in environ.split(b"\0")]


def end(value: str, seconds: float = SECONDS) -> None:
    """Ask them to end, and kill what then is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in marked(value):
            send(pid, number)
        until = time.monotonic() + seconds
        while marked(value) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
