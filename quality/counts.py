"""What each metric makes of answers, by sacrebleu and rouge-score: for the gates, and for `evaluate` in `metrics/`.

Every function takes the answers, and for each of them its references. It returns the `score` of 0 to 100, a
`signature` that says how it was counted, and each case's share of it: `statistics`, whose sums give the score, or
`cases`, whose mean is the score.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from quality import text

TOKENIZERS = {"en": "13a", "zh": "zh", "mixed": "zh"}  # zh splits Chinese into characters and the rest as 13a does
ROUGES = ("rouge1", "rouge2", "rougeL")
Said = Sequence[str]
References = Sequence[Sequence[str]]
Made = dict[str, Any]
Count = Callable[[Said, References, str], Made]


class Pieces:
    """The tokenizer that rouge-score calls; its own drops every Chinese character."""

    def tokenize(self, given: str) -> list[str]:
        return text.words(given)


def bleu(said: Said, references: References, language: str) -> Made:
    """Corpus BLEU with the tokenizer that the language needs: sacrebleu's default scores Chinese 0."""
    return of_corpus(BLEU(tokenize=TOKENIZERS[language]), said, references)


def chrf(said: Said, references: References, language: str) -> Made:
    """Corpus chrF: character n-grams, the same for every language."""
    return of_corpus(CHRF(), said, references)


def of_corpus(metric: Any, said: Said, references: References) -> Made:
    streams = [list(row) for row in zip(*padded(references), strict=True)]
    return {
        "score": metric.corpus_score(said, streams).score,
        "signature": str(metric.get_signature()),
        "statistics": metric._extract_corpus_statistics(said, streams),
    }


def padded(references: References) -> list[list[str | None]]:
    """All cases with as many references as the one that has most; sacrebleu leaves out None."""
    most = max(len(row) for row in references)
    return [[*row, *[None] * (most - len(row))] for row in references]


def rouge(said: Said, references: References, language: str) -> Made:
    """The mean F over cases, against the best of several references; here `cases` has a list for each of ROUGES."""
    scorer = RougeScorer(list(ROUGES), tokenizer=Pieces())
    rows = [scorer.score_multi(refs, one) for one, refs in zip(said, references, strict=True)]
    cases = {name: [100 * row[name].fmeasure for row in rows] for name in ROUGES}
    means = {name: sum(scores) / len(scores) for name, scores in cases.items()}
    return means | {"cases": cases, "signature": f"tok:words+cjk|f:1|version:{version('rouge-score')}"}


def exact_match(said: Said, references: References, language: str) -> Made:
    """Share of answers that equal a reference but for case, blanks, width and punctuation."""
    return of_matches(said, references, text.same, "norm:nfkc+casefold+words")


def accuracy(said: Said, references: References, language: str) -> Made:
    """Share of answers that hold one of the keys, the fact that was asked for; the references are each case's keys."""
    return of_matches(said, references, text.holds, "norm:nfkc+casefold+words|match:in-a-row")


def of_matches(said: Said, references: References, match: Callable[[str, str], bool], signature: str) -> Made:
    cases = [100.0 * any(match(one, each) for each in refs) for one, refs in zip(said, references, strict=True)]
    return {"score": sum(cases) / len(cases), "cases": cases, "signature": signature}
