import os
import subprocess
import sys

from perf import cpu


def test_what_is_measured_and_the_tool_share_no_core_if_there_are_two() -> None:
    assert cpu.split([0, 1]) == ([0], [1])
    assert cpu.split([0, 1, 2, 3]) == ([0, 1, 2], [3])
    assert cpu.split([5]) == ([5], [5])


def test_a_pinned_command_sees_only_its_cores() -> None:
    core = min(os.sched_getaffinity(0))
    ask = "import os; print(sorted(os.sched_getaffinity(0)))"
    done = subprocess.run(cpu.pinned([core], sys.executable, "-c", ask), capture_output=True, text=True, check=True)

    assert done.stdout.strip() == f"[{core}]"


def test_work_shows_in_the_cpu_seconds() -> None:
    before = cpu.seconds_of(os.getpid())
    while cpu.seconds_of(os.getpid()) - before < 0.03:
        sum(range(100_000))

    assert cpu.memory_of(os.getpid()) > 1_000_000


def test_a_family_is_the_process_and_its_children() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert {os.getpid(), child.pid} <= set(cpu.family(os.getpid()))
    finally:
        child.kill()
        child.wait()
