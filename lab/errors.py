"""What the lab refuses or fails at, each in one line that says what to do next.

LabError
├── Refused      nothing was changed: a missing root, a taken port, too little disk
└── NotReady     a part did not come up: its log is named
"""


class LabError(Exception):
    code = 1


class Refused(LabError):
    code = 5


class NotReady(LabError):
    code = 6
