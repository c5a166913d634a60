"""Corpus chrF by sacrebleu: character n-grams, the same for every language."""

from quality import counts, evaluated


class Chrf(evaluated.Counted):
    __doc__ = counts.chrf.__doc__
    count = staticmethod(counts.chrf)
