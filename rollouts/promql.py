"""Expressions in PromQL as text. They run on Prometheus 2.42: no feature flag, nothing newer."""

from rollouts.evidence import CEILING

STRATUM = "rollout, release, step, source"
ARM = f"{STRATUM}, arm"


def summed(selector: str) -> str:
    return f"sum by ({ARM}) ({selector})"


def averaged(exponent: str) -> str:
    """The mean over the rates of exp(exponent), kept below what a double holds."""
    return f"avg by ({STRATUM}) (\n  exp(clamp_max(\n    {exponent},\n    {CEILING:g}))\n)"


def per_rate(grid: str, vector: str) -> str:
    """A series per rate times one series per stratum: many to one."""
    return f"{grid} * on ({STRATUM}) group_left () {vector}"


def against_share(grid: str, bad: str, requests: str, share: float) -> str:
    return averaged(f"{per_rate(f'ln({grid})', bad)}\n    - {per_rate(f'ln(1 + {share!r} * ({grid} - 1))', requests)}")


def against_stable(grid: str, bad: str, all_bad: str, canary_share: str) -> str:
    """`all_bad` and `canary_share` are vectors with the labels of a stratum and nothing else."""
    return averaged(
        f"{per_rate(f'ln({grid})', bad)}\n"
        f"    - ln(1 + ({per_rate(f'({grid} - 1)', canary_share)})) * on ({STRATUM}) group_left () {all_bad}"
    )
