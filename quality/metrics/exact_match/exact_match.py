"""Share of answers that equal a reference but for case, blanks, width and punctuation, in percent."""

from quality import counts, evaluated


class ExactMatch(evaluated.Counted):
    __doc__ = counts.exact_match.__doc__
    count = staticmethod(counts.exact_match)
