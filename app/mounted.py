"""A file that is mounted into the pod: a new one holds without a restart, a broken one changes nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from prometheus_client import Gauge

RELOAD_SECONDS = 2
Content = TypeVar("Content")
log = structlog.get_logger()


class Mounted(Generic[Content]):
    """What `read` makes of the file at `path`, or `default` without one.

    Raises:
        ValueError: the first file is broken already.
    """

    def __init__(
        self, path: Path | None, read: Callable[[Path], Content], default: Content, broken: Gauge, name: str
    ) -> None:
        self.path, self.read, self.broken, self.name = path, read, broken, name
        self.now = read(path) if path else default
        self.seen = path.read_bytes() if path else b""
        self.broken.set(0)

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            await asyncio.to_thread(self.reload)  # a long list takes a moment

    def reload(self) -> None:
        if self.path is None:
            return
        try:
            bytes_now = self.path.read_bytes()
            if bytes_now != self.seen:
                self.now, self.seen = self.read(self.path), bytes_now
            self.broken.set(0)
        except OSError as error:
            self.refuse(f"{self.path}: {error.strerror}")
        except ValueError as error:
            self.refuse(str(error))

    def refuse(self, why: str) -> None:
        self.broken.set(1)
        log.warning("mounted_file_broken", file=self.name, error=why)
