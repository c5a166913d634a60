"""`sluice ab report`: what each variant did to its users, every mean with its interval."""

import json
import math
from statistics import NormalDist, fmean, variance
from typing import Any

FIGURES = {"rating": "rating", "ttft_seconds": "TTFT (s)", "tokens": "tokens"}
Z = NormalDist().inv_cdf(0.975)


def interval(values: list[float]) -> tuple[float, float, float] | None:
    """Mean and 95 % bounds by the central limit theorem; None under two values, which bound nothing."""
    if len(values) < 2:
        return None
    mean, half = fmean(values), Z * math.sqrt(variance(values) / len(values))
    return mean, mean - half, mean + half


def wilson(good: int, n: int) -> tuple[float, float, float] | None:
    """Share and its 95 % bounds (Wilson 1927), right for shares near 0 and 1 too."""
    if not n:
        return None
    share, z2 = good / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return share, middle - half, middle + half


def compared(queries: list[dict[str, Any]], ratings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per variant and version: n, the share of answers that ended well, and the means.

    A query whose pod was killed before it wrote how it ended counts for its rating alone.
    """
    names = sorted({key(one) for one in queries})
    return [row(name, mine(queries, name), mine(ratings, name)) for name in names]


def key(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["variant"] or "none", one["version"], one["arm"]


def mine(rows: list[dict[str, Any]], name: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [one for one in rows if key(one) == name]


def row(name: tuple[str, str, str], queries: list[dict[str, Any]], ratings: list[dict[str, Any]]) -> dict[str, Any]:
    queries = [one for one in queries if one["outcome"]]
    source = {"rating": ratings, "ttft_seconds": queries, "tokens": queries}
    figures = {
        field: interval([float(one[field]) for one in rows if one[field] is not None]) for field, rows in source.items()
    }
    ok = sum(one["outcome"] == "ok" for one in queries)
    return {
        "variant": name[0],
        "version": name[1],
        "arm": name[2],
        "n": len(queries),
        "ok": wilson(ok, len(queries)),
        "checks": checked(queries),
    } | figures


def checked(queries: list[dict[str, Any]]) -> dict[str, tuple[float, float, float] | None]:
    """Of each check the share of answers in which it found something bad, among those that it could be made of."""
    results = [json.loads(one["checks"]) for one in queries if one["checks"]]
    names = sorted({name for one in results for name in one})
    found = {name: [one[name] for one in results if name in one] for name in names}
    return {name: wilson(sum(bad), len(bad)) for name, bad in found.items()}


def table(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{one['variant']} {one['version']} {one['arm']}: n {one['n']}, {', '.join(said(one))}" for one in rows]


def said(one: dict[str, Any]) -> list[str]:
    figures = [f"{text} {bounds(one[name])}" for name, text in ({"ok": "ok"} | FIGURES).items()]
    return figures + [f"{name} bad {bounds(share)}" for name, share in one["checks"].items()]


def bounds(found: tuple[float, float, float] | None) -> str:
    return "too few" if found is None else f"{found[0]:.3g} [{found[1]:.3g}, {found[2]:.3g}]"
