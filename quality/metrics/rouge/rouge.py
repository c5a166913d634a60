"""ROUGE-1, ROUGE-2 and ROUGE-L by rouge-score, over words and single Chinese characters."""

from quality import counts, evaluated


class Rouge(evaluated.Counted):
    __doc__ = counts.rouge.__doc__
    count = staticmethod(counts.rouge)
