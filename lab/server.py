"""A program that lives as long as a `with`, and can be taken away and brought back in between."""

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from lab.errors import NotReady


class Server:
    """Its folder holds its log; `prepare` makes what it needs before it starts the first time."""

    name = "server"
    health = "/"
    seconds = 60.0

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.address = folder, port, f"http://127.0.0.1:{port}"
        self.child: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def rights(self) -> dict[str, Any]:
        """As whom it runs, where, and with what environment: words of Popen."""
        return {}

    def __enter__(self) -> Self:
        self.prepare()
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def up(self) -> None:
        """Start it and wait until it answers; raises NotReady, naming its log."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.rights)  # noqa: S603
        until = time.monotonic() + self.seconds
        while time.monotonic() < until and self.child.poll() is None:
            if self.answers():
                return
            time.sleep(0.1)
        self.down()
        raise NotReady(f"{self.name} does not answer: see {self.log}")

    def answers(self) -> bool:
        try:
            return httpx2.get(f"{self.address}{self.health}", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    def down(self) -> None:
        if self.child is not None:
            self.child.terminate()
            self.child.wait(timeout=20)
            self.child = None
