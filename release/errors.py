"""What `sluice` refuses or fails at, each in one line that says what to do next, each with its own exit code.

ReleaseError          1   something nobody foresaw
├── Aborted           3   the release was stopped; all traffic is on stable
├── TimedOut          4   no verdict within --timeout; the cluster goes on deciding by itself
├── Refused           5   a check failed before anything was changed
│   ├── InProgress    5   another release is being judged
│   └── WrongHash    17   release.yaml has a hash that is not that of what it names
├── Unreachable       6   the cluster did not answer; nothing was changed by this command
├── NotInstalled      7   there is no such release in the namespace
├── UpgradeFailed     8   Helm stopped in the middle of its upgrade
├── BuildFailed       9   a step of the Dockerfile or a push failed; nothing was released
├── ForgeAway        10   the forge or the git remote did not answer; the same command continues
├── Locked           11   another deployment of this environment is being handed over
├── UnknownVersion   12   no release of that version was ever written for the environment
├── NotVerified      13   what should be promoted has not been promoted where it comes from
├── Unsigned         14   a signature is missing or is not by our key
├── Unconventional   15   a commit since the last version has no conventional message
└── Drifted          16   the cluster runs something else than git says

0 is promoted (or, for a command that judges nothing, done); 2 is a wrong option; 130 is Ctrl-C.
"""

PROMOTED = 0


class ReleaseError(Exception):
    code = 1


class Aborted(ReleaseError):
    code = 3


class TimedOut(ReleaseError):
    code = 4


class Refused(ReleaseError):
    code = 5


class InProgress(Refused):
    pass


class WrongHash(Refused):
    code = 17


class Unreachable(ReleaseError):
    code = 6


class NotInstalled(ReleaseError):
    code = 7


class UpgradeFailed(ReleaseError):
    code = 8


class BuildFailed(ReleaseError):
    code = 9


class ForgeAway(ReleaseError):
    code = 10


class Locked(ReleaseError):
    code = 11


class UnknownVersion(ReleaseError):
    code = 12


class NotVerified(ReleaseError):
    code = 13


class Unsigned(ReleaseError):
    code = 14


class Unconventional(ReleaseError):
    code = 15


class Drifted(ReleaseError):
    code = 16
