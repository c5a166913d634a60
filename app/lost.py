"""How a connection to an engine fails.

Lost             the connection did not do its part; `started` once a byte of the answer had come
├── Unreachable  there was none
├── HungUp       the engine closed it before its answer's end
└── Garbled      what came is not HTTP
"""


class Lost(Exception):
    def __init__(self, message: str, *, started: bool = False) -> None:
        super().__init__(message)
        self.started = started


class Unreachable(Lost):
    pass


class HungUp(Lost):
    pass


class Garbled(Lost):
    pass
