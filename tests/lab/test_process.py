import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import paths, process
from lab.errors import NotReady
from lab.process import Program

FOREVER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(paths, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(paths, "RUN", tmp_path / "run")
    yield
    for name in process.running():
        process.stop(name, 1)


def test_a_program_is_started_once_and_found_again() -> None:
    program = Program("one", FOREVER)
    program.start()
    first = process.pid_of("one")
    program.start()

    assert first is not None
    assert process.running() == {"one": first}


def test_a_stopped_program_is_gone() -> None:
    Program("one", FOREVER).start()
    process.stop("one", 5)

    assert process.running() == {}
    assert not process.pid_file("one").exists()


def test_a_program_that_does_not_listen_is_killed() -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    program = Program("deaf", [sys.executable, "-c", deaf], lambda: "deaf" in program.log.read_text())
    program.start()
    program.wait()
    process.stop("deaf", 0.3)

    assert process.pid_of("deaf") is None


def test_another_process_with_the_same_id_is_not_ours() -> None:
    paths.RUN.mkdir(parents=True)
    process.pid_file("other").write_text(f"{os.getpid()} 1\n")

    process.stop("other", 0.2, first=signal.SIGKILL)  # would end this very test

    assert process.pid_of("other") is None


def test_a_program_that_ended_is_named_with_its_last_line_and_its_log() -> None:
    program = Program("broken", [sys.executable, "-c", "raise SystemExit('no such thing')"], lambda: False)
    program.start()

    with pytest.raises(NotReady, match=r"broken ended: no such thing \(see .*broken.log\)"):
        program.wait()


def test_a_program_that_is_never_ready_is_given_up() -> None:
    program = Program("slow", FOREVER, lambda: False, seconds=0.2)
    program.start()

    with pytest.raises(NotReady, match="slow is not ready after 0 s"):
        program.wait()


def test_a_failed_command_is_one_line() -> None:
    with pytest.raises(NotReady, match=r"^ls failed: .*nowhere"):
        process.run("ls", "/nowhere")


def test_what_each_process_is_told_by_its_id() -> None:
    found = dict(process.every("cmdline"))
    assert found[os.getpid()] == Path("/proc/self/cmdline").read_bytes()
