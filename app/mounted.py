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
    """What `read` makes of the file at `path`, or `default` without one; it may read the file `beside` too.

    Raises:
        ValueError: the first file is broken already.
    """

    def __init__(
        self,
        path: Path | None,
        read: Callable[[Path], Content],
        default: Content,
        broken: Gauge,
        name: str,
        beside: Path | None = None,
    ) -> None:
        self.path, self.read, self.broken, self.name, self.beside = path, read, broken, name, beside
        self.now = read(path) if path else default
        self.seen = self.bytes_of(path) if path else ()
        self.broken.set(0)

    def bytes_of(self, path: Path) -> tuple[bytes, ...]:
        """The content itself: a ConfigMap's link is swapped for one whose file may bear any time."""
        return tuple(one.read_bytes() for one in (path, self.beside) if one)

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            await asyncio.to_thread(self.reload)  # a long list takes a moment

    def reload(self) -> None:
        if self.path is None:
            return
        try:
            bytes_now = self.bytes_of(self.path)
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
