"""A thread that looks at something at an even pace, from `with` to its end."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Follower(ABC):
    pause: float  # seconds between two looks

    def __init__(self) -> None:
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    def follow(self) -> None:
        while not self.done.wait(self.pause):
            self.look()

    @abstractmethod
    def look(self) -> None: ...
