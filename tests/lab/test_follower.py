import threading

from lab.follower import Follower


class Counting(Follower):
    pause = 0.001

    def __init__(self) -> None:
        super().__init__()
        self.looks, self.enough = 0, threading.Event()

    def look(self) -> None:
        self.looks += 1
        if self.looks >= 3:
            self.enough.set()


def test_it_looks_again_and_again_until_its_end() -> None:
    with Counting() as counting:
        assert counting.enough.wait(30)
    seen = counting.looks
    assert not counting.thread.is_alive()
    assert counting.looks == seen
