"""Prometheus, asked for the figures that the gates were judged by."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

PASS, UNDECIDED, FAIL = 1, 0, -1
WORDS = {PASS: "pass", UNDECIDED: "not enough evidence", FAIL: "fail"}


class Silent(Exception):
    """Prometheus did not answer; verdicts are made in the cluster, so this only costs the figures."""


@dataclass
class Evidence:
    """One gate, source and step: requests, bad ones, e-values, verdict."""

    gate: str
    source: str
    step: str
    n: int = 0
    c: int = 0
    stable_n: int = 0
    stable_c: int = 0
    verdict: int = UNDECIDED
    values: dict[str, float] = field(default_factory=dict)  # tolerated, stable, unacceptable
    unmeasured: int = 0  # of the canary's: nobody can tell yet whether they are bad

    @property
    def against(self) -> float:
        """What the fail threshold is held against: the weaker of both e-values."""
        return min(self.values.get("tolerated", 0.0), self.values.get("stable", 0.0))

    @property
    def hidden(self) -> str:
        """What is not known, as words that go on; empty where all of it is."""
        return f", {self.unmeasured} not measured yet" if self.unmeasured else ""

    @property
    def word(self) -> str:
        return WORDS.get(self.verdict, "not enough evidence")


class Prometheus:
    def __init__(self, url: str, client: httpx2.Client) -> None:
        self.url, self.client = url.rstrip("/"), client

    def instant(self, query: str) -> list[dict[str, Any]]:
        """The vector that a query gives now; raises Silent."""
        return self.asked("query", {"query": query})

    def range(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The matrix of a query between two unix times, one value per `step` seconds; raises Silent."""
        return self.asked(
            "query_range", {"query": query, "start": f"{start}", "end": f"{end}", "step": f"{max(step, 0.1)}"}
        )

    def asked(self, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
        try:
            reply = self.client.get(f"{self.url}/api/v1/{path}", params=params)
            body = reply.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise Silent(f"{self.url} does not answer ({error or type(error).__name__})") from error
        if body.get("status") != "success":
            raise Silent(f"{self.url}: {body.get('error', reply.status_code)}")
        return list(body["data"]["result"])

    def evidence(self, rollout: str, release: str, past: str = "") -> list[Evidence]:
        """Every gate of one attempt, by step, source and name; `past` (like `6h`) also finds what has ended."""
        names = "sluice:gate_(n|bad|unmeasured|evidence|verdict)"
        wanted = f'{{__name__=~"{names}",rollout="{rollout}",release="{release}"}}'
        query = f"last_over_time({wanted}[{past}])" if past else wanted
        found: dict[tuple[str, str, str], Evidence] = {}
        for labels, value in numbers(self.instant(query)):
            key = labels.get("step", ""), labels.get("source", ""), labels.get("gate", "")
            add(found.setdefault(key, Evidence(key[2], key[1], key[0])), labels, value)
        return sorted(found.values(), key=lambda one: (order(one.step), one.source, one.gate))


def numbers(result: list[dict[str, Any]]) -> Iterator[tuple[dict[str, str], float]]:
    for series in result:
        value = float(series["value"][1])
        if value == value:  # NaN says nothing
            yield series["metric"], value


def order(step: str) -> float:
    try:
        return float(step)
    except ValueError:
        return 1e9


def add(one: Evidence, labels: dict[str, str], value: float) -> None:
    """Put one sample where it belongs; n counts started requests, which the fail verdict is made of."""
    name, arm = labels.get("__name__", ""), labels.get("arm", "")
    if name == "sluice:gate_n" and labels.get("basis", "started") == "started":
        if arm == "stable":
            one.stable_n = int(value)
        else:
            one.n = int(value)
    elif name == "sluice:gate_bad":
        if arm == "stable":
            one.stable_c = int(value)
        else:
            one.c = int(value)
    elif name == "sluice:gate_unmeasured" and arm == "canary":
        one.unmeasured = int(value)
    elif name == "sluice:gate_evidence":
        one.values[labels.get("evidence", "")] = value
    elif name == "sluice:gate_verdict":
        one.verdict = int(value)
