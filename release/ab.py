"""`sluice ab report`: what each variant did to its users, every mean with its interval."""

import json
import math
from collections import defaultdict
from statistics import NormalDist, fmean
from typing import Any

FIGURES = {"rating": "rating", "ttft_seconds": "TTFT (s)", "tokens": "tokens"}
Said = tuple[str, float]  # whose a row is, and what it says
Z = NormalDist().inv_cdf(0.975)


def interval(rows: list[Said]) -> tuple[float, float, float] | None:
    """Mean and 95 % bounds by the central limit theorem; None under two users, who bound nothing."""
    if (error := deviation(rows)) is None:
        return None
    mean = fmean(value for _, value in rows)
    return mean, mean - Z * error, mean + Z * error


def deviation(rows: list[Said]) -> float | None:
    """Standard deviation of the mean over all rows, where those of one user belong together; None under two users.

    A variant is a user's, and so are habits: the mean is a ratio, of the users' sums to their numbers (ratio to size:
    Cochran, Sampling Techniques, 3rd edition 1977, chapter 9A; of experiments: Deng, Knoblich and Lu, Applying the
    Delta Method in Metric Analytics, KDD 2018). With one row of each user it is the textbook's. Whoever gave no id is
    a user for each row: variants are drawn anew for them.
    """
    users: dict[str | int, list[float]] = defaultdict(list)
    for number, (user, value) in enumerate(rows):
        users[user or number].append(value)
    if len(users) < 2:
        return None
    mean = fmean(value for _, value in rows)
    squares = sum((sum(values) - mean * len(values)) ** 2 for values in users.values())
    return math.sqrt(squares * len(users) / (len(users) - 1)) / len(rows)


def share(rows: list[Said]) -> tuple[float, float, float] | None:
    """Share of the rows that are 1 and its 95 % bounds: Wilson's, of as many independent rows as would vary so little.

    That is the effective sample size of Korn and Graubard (Survey Methodology 24, 1998), at most the true one, which
    it is too where nothing varies. None under two users.
    """
    if (error := deviation(rows)) is None:
        return None
    found, n = fmean(value for _, value in rows), len(rows)
    design = max(1.0, error**2 * (n - 1) / (found * (1 - found))) if error else 1.0  # Kish's design effect
    return wilson(found, n / design)


def wilson(share: float, n: float) -> tuple[float, float, float]:
    """A share of n > 0 and its 95 % bounds (Wilson 1927), right for shares near 0 and 1 too."""
    z2 = Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return share, middle - half, middle + half


def compared(queries: list[dict[str, Any]], ratings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per variant and version: n, the share of answers that ended well, and the means.

    A query whose pod was killed before it wrote how it ended counts for its rating alone.
    """
    names = sorted({key(one) for one in queries})
    return [row(name, mine(queries, name), mine(ratings, name)) for name in names]


def mixed(ratings: list[dict[str, Any]]) -> bool:
    """Whether some are thumbs and others stars: a 1 is the best of those and the worst of these."""
    said = [one["rating"] for one in ratings]
    return min(said, default=1) < 1 < max(said, default=1)


def key(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["variant"] or "none", one["version"], one["arm"]


def mine(rows: list[dict[str, Any]], name: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [one for one in rows if key(one) == name]


def row(name: tuple[str, str, str], queries: list[dict[str, Any]], ratings: list[dict[str, Any]]) -> dict[str, Any]:
    queries = [one for one in queries if one["outcome"]]
    source = {"rating": ratings, "ttft_seconds": queries, "tokens": queries}
    figures = {
        field: interval([(one["user_hash"], float(one[field])) for one in rows if one[field] is not None])
        for field, rows in source.items()
    }
    return {
        "variant": name[0],
        "version": name[1],
        "arm": name[2],
        "n": len(queries),
        "ok": share([(one["user_hash"], one["outcome"] == "ok") for one in queries]),
        "checks": checked(queries),
    } | figures


def checked(queries: list[dict[str, Any]]) -> dict[str, tuple[float, float, float] | None]:
    """Of each check the share of answers in which it found something bad, among those that it could be made of."""
    results = [(one["user_hash"], json.loads(one["checks"])) for one in queries if one["checks"]]
    names = sorted({name for _, found in results for name in found})
    return {name: share([(user, found[name]) for user, found in results if name in found]) for name in names}


def table(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{one['variant']} {one['version']} {one['arm']}: n {one['n']}, {', '.join(said(one))}" for one in rows]


def said(one: dict[str, Any]) -> list[str]:
    figures = [f"{text} {bounds(one[name])}" for name, text in ({"ok": "ok"} | FIGURES).items()]
    return figures + [f"{name} bad {bounds(share)}" for name, share in one["checks"].items()]


def bounds(found: tuple[float, float, float] | None) -> str:
    return "too few" if found is None else f"{found[0]:.3g} [{found[1]:.3g}, {found[2]:.3g}]"
