"""`awake.cores(...)`: no core sleeps while others are measured on it.

The core of a virtual machine that sleeps is its host's, and to have it back takes 0.1 ms or 30, by what else the host
does: that is none of what is measured, and whoever is busy does not meet it. So a process stays there that yields to
all others at once (SCHED_IDLE), like `idle=poll` on a machine of one's own. `python -m perf.awake PARENT` is that one.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from perf import cpu, engine

LOOKS = 10_000  # rounds, some milliseconds, between two looks for who wants it


@contextlib.contextmanager
def cores(some: Sequence[int]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for core in some:
            command = cpu.pinned([core], sys.executable, "-m", "perf.awake", str(os.getpid()))
            process = subprocess.Popen(command, cwd=engine.ROOT)  # noqa: S603
            stack.callback(engine.end, process)
        yield


def stay(parent: int) -> None:
    """Until the parent is gone."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(LOOKS):
            os.sched_yield()  # or it is given a whole 4 ms of a second in which another process wants all of it


if __name__ == "__main__":
    stay(int(sys.argv[1]))
