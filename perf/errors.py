"""What `make perf` and `make bench` refuse or fail at, each in one line, each with its own exit code.

PerfError             1   something nobody foresaw
├── Failed            3   the candidate is slower, or misses a floor
├── Unsure            4   not enough evidence for either verdict
├── Refused           5   bad input; nothing was started
├── NotStarted        6   an engine did not come up
└── Invalid           7   the run says nothing: its schedule slipped, or the tool was the bottleneck

0 is a pass; 2 is a wrong option.
"""


class PerfError(Exception):
    code = 1


class Failed(PerfError):
    code = 3


class Unsure(PerfError):
    code = 4


class Refused(PerfError):
    code = 5


class NotStarted(PerfError):
    code = 6


class Invalid(PerfError):
    code = 7
