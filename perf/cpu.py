"""Who runs on which core: what measures must not fight with what is measured."""

import contextlib
import gc
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from perf.errors import Refused

PERIOD_MICROSECONDS = 100_000  # as Kubernetes has it
V2 = Path("/sys/fs/cgroup/cgroup.controllers")
V1 = Path("/sys/fs/cgroup/cpu")


def split(cores: Sequence[int] | None = None) -> tuple[list[int], list[int]]:
    """Cores of what is measured, and of the tool: its own one, if there are two."""
    found = sorted(os.sched_getaffinity(0) if cores is None else cores)
    return (found[:-1], found[-1:]) if len(found) > 1 else (found, found)


def unpaused() -> None:
    """Let Python look for garbage in small portions: what measures would take its own 20 ms for another's."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(4000, 50, 1000)


def pinned(cores: Sequence[int], *command: str) -> list[str]:
    """The command held to those cores, and all that it starts."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]


def pin(pids: Sequence[int], cores: Sequence[int]) -> None:
    """Hold processes that run to those cores, each of their threads."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)


def seconds_of(pid: int) -> float:
    """CPU seconds, user and system, of a process that runs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Resident bytes of a process that runs."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def quota(share: float, cores: Sequence[int], pids: Sequence[int]) -> Iterator[None]:
    """Hold processes to a share of their cores, by a cgroup's quota, for as long as the context lasts.

    Raises:
        Refused: no CPU controller can be written; needs root.
    """
    homes = {pid: home(pid) for pid in pids}
    group = made(f"sluice-perf-{os.getpid()}")
    micro = round(share * len(cores) * PERIOD_MICROSECONDS)
    try:
        limit(group, micro)
        move(group, pids)
        yield
    finally:
        for pid, where in homes.items():
            move(where, [pid])
        with contextlib.suppress(OSError):
            group.rmdir()


def home(pid: int, process: Path = Path("/proc")) -> Path:
    """The CPU group that a process is in, so that it can be put back there."""
    for line in (process / str(pid) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if V2.exists() and not controllers:
            return V2.parent / path.lstrip("/")
        if not V2.exists() and "cpu" in controllers.split(","):
            return V1 / path.lstrip("/")
    raise Refused(f"process {pid} is in no CPU group: no quota can be set here")


def made(name: str) -> Path:
    root = V2.parent if V2.exists() else V1
    with contextlib.suppress(OSError):
        if V2.exists():
            (root / "cgroup.subtree_control").write_text("+cpu")
        (root / name).mkdir()
        return root / name
    raise Refused(f"{root}: no CPU quota can be set here: run as root where the cpu controller can be written")


def limit(group: Path, micro: int) -> None:
    if V2.exists():
        (group / "cpu.max").write_text(f"{micro} {PERIOD_MICROSECONDS}")
        return
    (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
    (group / "cpu.cfs_quota_us").write_text(str(micro))


def move(group: Path, pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            (group / "cgroup.procs").write_text(str(pid))


def family(pid: int) -> list[int]:
    """A process and all that it has started, and they."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*") for child in (task / "children").read_text().split()
    ]
    return [pid, *(one for child in children for one in family(child))]
