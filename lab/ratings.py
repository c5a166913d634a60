"""Does a user's rating reach PostgreSQL, tied to its answer: version, revision, arm, variant, trace?"""

import itertools
import secrets
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from lab import database
from lab.process import POLL_SECONDS

MOST_USERS = 200  # at 25 % none of them on the canary: once in 10^25
OF_EACH = 3  # ratings of either arm
WRITTEN_SECONDS = 10
ROWS = """
    SELECT query_id, rating, comment, version, revision, arm, variant, trace_id, outcome
    FROM feedback JOIN queries USING (query_id)
"""


@dataclass(frozen=True)
class Rated:
    """An answer as its user saw it, and what the user said of it at last."""

    query_id: str
    rating: int
    comment: str
    version: str
    arm: str
    variant: str
    trace_id: str


def faults(url: str, namespace: str, versions: dict[str, str]) -> list[str]:
    """In words, what is not kept as it was acknowledged, or of another version than its arm's; nothing rated is too."""
    with httpx2.Client(base_url=url, timeout=30) as client:
        said = rated(client)
    arms = {one.arm for one in said}
    missing = [f"no answer of {arm} could be rated" for arm in ("stable", "canary") if arm not in arms]
    missing += [f"{one.arm} answered as {one.version}" for one in said if one.version != versions[one.arm]]
    return missing + differences(said, kept(namespace, {one.query_id for one in said}))


def rated(client: httpx2.Client) -> list[Rated]:
    """Ask and rate as users do, each twice, until both arms have their ratings."""
    found: dict[str, list[Rated]] = {"stable": [], "canary": []}
    for user in (f"rater-{number:03d}" for number in range(MOST_USERS)):
        if one := asked(client, user, found):
            say(client, user, one.query_id, -1, "at first")
            say(client, user, one.query_id, one.rating, one.comment)
            found[one.arm].append(one)
        if all(len(ratings) >= OF_EACH for ratings in found.values()):
            break
    return list(itertools.chain(*found.values()))


def asked(client: httpx2.Client, user: str, found: dict[str, list[Rated]]) -> Rated | None:
    """The answer, where it is of an arm that still wants ratings."""
    trace = secrets.token_hex(16)
    headers = {"x-sluice-user": user, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    reply = client.post("/predict", json={"prompt": "The river", "max_new_tokens": 4}, headers=headers)
    arm = reply.headers.get("x-sluice-arm", "")
    if reply.status_code != 200 or len(found.get(arm, [])) >= OF_EACH:
        return None
    answer = reply.json()
    variant = reply.headers["x-sluice-variant"]
    return Rated(answer["query_id"], 5, f"of {user}", answer["model_version"], arm, variant, trace)


def say(client: httpx2.Client, user: str, query: str, rating: int, comment: str) -> None:
    said = {"query_id": query, "rating": rating, "comment": comment}
    client.post("/feedback", json=said, headers={"x-sluice-user": user}).raise_for_status()


def kept(namespace: str, queries: set[str]) -> list[dict[str, Any]]:
    """The rows of these queries, once they are all there and whole; a gateway writes every half second."""
    deadline = time.monotonic() + WRITTEN_SECONDS
    while True:
        found = [row for row in database.rows(namespace, ROWS) if row["query_id"] in queries]
        if {row["query_id"] for row in found if row["outcome"]} == queries or time.monotonic() > deadline:
            return found
        time.sleep(POLL_SECONDS)


def differences(said: list[Rated], rows: list[dict[str, Any]]) -> list[str]:
    """Each rating against its rows: there is one, and it says the same."""
    faults = []
    for one in said:
        mine = [row for row in rows if row["query_id"] == one.query_id]
        if len(mine) != 1:
            faults.append(f"a rating on {one.arm} has {len(mine)} rows in the database, not one")
            continue
        row = mine[0]
        wrong = [name for name, value in vars(one).items() if row[name] != value]
        wrong += [name for name in ("revision", "outcome") if not row[name]]
        faults += [f"a rating on {one.arm} is kept with {name} {row[name]!r}" for name in wrong]
    return faults
