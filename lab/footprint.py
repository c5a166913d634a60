"""What a run takes of the machine at most: memory and disk, sampled while it goes on."""

import shutil
from pathlib import Path
from typing import Self

from lab.follower import Follower
from release.report import Footprint as Figures

SAMPLE_SECONDS = 2
MEMINFO = Path("/proc/meminfo")


class Footprint(Follower):
    """The machine's use while it follows, over what was in use before."""

    pause = SAMPLE_SECONDS

    def __init__(self, folder: Path, meminfo: Path = MEMINFO) -> None:
        super().__init__()
        self.folder, self.meminfo = folder, meminfo
        self.before, self.peak = (0, 0), (0, 0)

    def __enter__(self) -> Self:
        self.before = self.peak = self.used()
        return super().__enter__()

    def look(self) -> None:
        memory, disk = self.used()
        self.peak = max(memory, self.peak[0]), max(disk, self.peak[1])

    def used(self) -> tuple[int, int]:
        """Bytes of memory that are not available, and bytes of the folder's file system that are taken."""
        lines = (line.split() for line in self.meminfo.read_text(encoding="ascii").splitlines())
        kib = {line[0]: int(line[1]) for line in lines}
        return (kib["MemTotal:"] - kib["MemAvailable:"]) * 1024, shutil.disk_usage(self.folder).used

    def figures(self) -> Figures:
        """Peaks over the start, GiB."""
        memory, disk = (round((peak - before) / 2**30, 1) for peak, before in zip(self.peak, self.before, strict=True))
        return Figures(memory_gib=memory, disk_gib=disk)
