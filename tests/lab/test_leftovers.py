import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lab import leftovers

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"


@pytest.fixture
def mark() -> str:
    return f"test_{os.getpid()}_{time.monotonic_ns()}"


@pytest.fixture
def child(mark: str) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | {leftovers.MARK: mark}
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_only_what_has_the_mark_is_found(child: subprocess.Popen[bytes], mark: str) -> None:
    assert leftovers.marked(mark) == [child.pid]
    assert leftovers.marked(mark + "0") == leftovers.marked(mark[:-1]) == []


def test_who_does_not_end_when_asked_is_killed(child: subprocess.Popen[bytes], mark: str) -> None:
    leftovers.end(mark, seconds=0.5)
    assert child.wait(5) == -9
    assert leftovers.marked(mark) == []
