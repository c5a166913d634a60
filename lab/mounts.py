"""What is mounted on this machine, and taking away what the lab's programs have mounted."""

from pathlib import Path

from lab.process import run

TABLE = Path("/proc/mounts")


def points() -> list[str]:
    return [line.split()[1] for line in TABLE.read_text().splitlines()]


def under(*folders: Path) -> list[str]:
    """Mount points under these folders, the deepest first."""
    ours = tuple(f"{folder}/" for folder in folders)
    return sorted((point for point in points() if point.startswith(ours)), reverse=True)


def taken_away(*folders: Path) -> None:
    for point in under(*folders):
        run("umount", "--lazy", point, check=False)
