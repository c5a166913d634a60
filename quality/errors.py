"""What `sluice quality` and `sluice model` refuse, beside the exit codes of release/errors.py.

ReleaseError
├── BadFile         20   a line that is not JSON, or not what the schema asks for
├── EmptySet        21   a golden set without a case
├── NoAnswers       22   the endpoint hung, was away or answered with errors
├── OtherCases      23   answers for other cases than the golden set asks
├── OtherSet        24   a baseline that was made with another golden set
├── WrongModel      25   a model's folder is not what its pin says
└── NoDownload      26   a model could not be fetched; nothing half is left at its place

Of release/errors.py: 3 the gate failed, 4 not enough evidence for a verdict, 5 refused before anything was written.
"""

from release.errors import ReleaseError


class BadFile(ReleaseError):
    code = 20


class EmptySet(ReleaseError):
    code = 21


class NoAnswers(ReleaseError):
    code = 22


class OtherCases(ReleaseError):
    code = 23


class OtherSet(ReleaseError):
    code = 24


class WrongModel(ReleaseError):
    code = 25


class NoDownload(ReleaseError):
    code = 26
