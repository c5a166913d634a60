"""Share of answers that hold one of the keys, the fact that was asked for, in percent."""

from quality import counts, evaluated


class Accuracy(evaluated.Counted):
    __doc__ = counts.accuracy.__doc__
    count = staticmethod(counts.accuracy)
