import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from perf import cpu
from perf.errors import Refused


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


def test_a_quota_holds_a_process_and_puts_it_back_into_the_group_it_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = tmp_path / "of" / "somebody"
    before.mkdir(parents=True)
    monkeypatch.setattr(cpu, "V1", tmp_path)
    monkeypatch.setattr(cpu, "V2", tmp_path / "none")
    monkeypatch.setattr(cpu, "home", lambda pid: before)

    with cpu.quota(0.7, [0, 1], [4711]):
        (group,) = tmp_path.glob("sluice-perf-*")
        assert (group / "cpu.cfs_quota_us").read_text() == "140000"
        assert (group / "cpu.cfs_period_us").read_text() == "100000"
        assert (group / "cgroup.procs").read_text() == "4711"
        assert not (before / "cgroup.procs").exists()

    assert (before / "cgroup.procs").read_text() == "4711"


@pytest.mark.parametrize(
    ("lines", "unified", "found"),
    [
        ("4:memory:/a\n2:cpu,cpuacct:/of/me\n0::/other\n", False, "of/me"),
        ("0::/of/me\n", True, "of/me"),
        ("1:cpu:/\n", False, ""),
    ],
)
def test_a_process_is_at_home_in_the_group_that_the_kernel_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lines: str, unified: bool, found: str
) -> None:
    process = tmp_path / "proc" / "7"
    process.mkdir(parents=True)
    (process / "cgroup").write_text(lines)
    controllers = tmp_path / "cgroup.controllers"
    if unified:
        controllers.touch()
    monkeypatch.setattr(cpu, "V1", tmp_path)
    monkeypatch.setattr(cpu, "V2", controllers)

    assert cpu.home(7, tmp_path / "proc") == tmp_path / found


def test_where_no_group_can_be_made_the_quota_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cpu, "V1", tmp_path / "missing")
    monkeypatch.setattr(cpu, "V2", tmp_path / "none")
    monkeypatch.setattr(cpu, "home", lambda pid: tmp_path)

    with pytest.raises(Refused, match="run as root"), cpu.quota(0.7, [0], [1]):
        pass


def test_garbage_is_looked_for_in_small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(gc, "freeze", lambda: told.append("frozen"))
    monkeypatch.setattr(gc, "set_threshold", lambda *of: told.append(of[0]))
    cpu.unpaused()

    assert told == ["frozen", 4000]
