"""The e-values of a gate, calculated apart from the recording rules so that the two can be held against each other.

Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
Annals of Statistics 2021 (arXiv 1810.08240), gives the test supermartingales and, by Ville's inequality, the bound:
under its null hypothesis the chance that an e-value *ever* reaches K is at most 1/K, however often one looks.
Lindon, Sanden and Shirikian, "Rapid Regression Detection in Software Deployments through Sequential Testing"
(arXiv 2205.14762), uses the same for canaries. Averaging over rates r keeps an e-value an e-value (a mixture).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from math import exp, log, log1p

from rollouts.gates import Gate, Gates, rate

CEILING = 700.0  # exp(709) is the largest that a double holds; the rules are cut at the same place


class Verdict(IntEnum):
    FAIL = -1
    NOT_ENOUGH = 0
    PASS = 1


@dataclass(frozen=True)
class Arm:
    """Requests of one arm, stratum and step: those started less those not judged, those ended and judged, the bad."""

    started: float
    ended: float
    bad: float


def against_share(bad: float, requests: float, share: float, rates: Iterable[float]) -> float:
    """E-value that the bad share differs from `share` in the direction of `rates`.

    Each bad request multiplies it by r, each request divides it by 1 + share·(r - 1), its mean under the null
    hypothesis: a product of terms of mean at most 1 (Howard et al. 2021, section 3, Bernoulli case).
    """
    return mean(bad * log(r) - requests * log1p(share * (r - 1)) for r in rates)


def against_stable(canary: Arm, stable: Arm, rates: Iterable[float]) -> float:
    """E-value that the canary is worse than stable, given all bad requests of both.

    If the arms are alike, each bad request is the canary's with chance t = n/(n + m), its share of the requests
    (Lindon et al. 2022, section 3: conditioning on the total removes the common rate).
    """
    t = canary.started / max(canary.started + stable.started, 1)
    return mean(canary.bad * log(r) - (canary.bad + stable.bad) * log1p(t * (r - 1)) for r in rates)


def mean(exponents: Iterable[float]) -> float:
    values = [exp(min(exponent, CEILING)) for exponent in exponents]
    return sum(values) / len(values)


@dataclass(frozen=True)
class Evidence:
    """E-values that the canary is worse than tolerated, worse than stable, and better than unacceptable."""

    tolerated: float
    stable: float
    unacceptable: float


def weighed(gate: Gate, gates: Gates, canary: Arm, stable: Arm) -> Evidence:
    worse = [rate(text) for text in gates.evidence.worse]
    better = [rate(text) for text in gates.evidence.better]
    return Evidence(
        tolerated=against_share(canary.bad, canary.started, gate.tolerated, worse),
        stable=against_stable(canary, stable, worse),
        unacceptable=against_share(canary.bad, canary.ended, gate.unacceptable, better),
    )


def verdict(gate: Gate, gates: Gates, canary: Arm, stable: Arm, *, measured: bool = True) -> Verdict:
    """The verdict on one stratum of one step; `measured` is False while too many of them wait to be measured."""
    found = weighed(gate, gates, canary, stable)
    if found.tolerated >= gates.evidence.fail_at and found.stable >= gates.evidence.fail_at:
        return Verdict.FAIL
    stable_share = stable.bad / max(stable.ended, 1)
    clean = found.unacceptable >= gates.evidence.pass_at and stable_share <= gate.unacceptable
    return Verdict.PASS if clean and measured else Verdict.NOT_ENOUGH


def backstop(gates: Gates, canary: Arm, stable: Arm) -> bool:
    """True when the canary is plainly bad while stable is plainly well, whatever the e-values say."""
    limit = gates.backstop
    enough = canary.started >= limit.requests and stable.ended >= limit.requests
    worse = canary.bad / max(canary.started, 1) > limit.canary_above
    return enough and worse and stable.bad / max(stable.ended, 1) < limit.stable_below
