import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from lab import ratings

VERSIONS = {"stable": "v1.0.0", "canary": "v1.1.0"}


class Gateway(ThreadingHTTPServer):
    """Answers as a gateway does; every third user is on the canary, unless nobody is."""

    def __init__(self, canary: int = 3) -> None:
        self.canary, self.rows = canary, dict[str, dict[str, Any]]()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        arm = "stable"
        if self.path == "/predict":
            query = f"q{len(self.server.rows)}"
            arm = "canary" if self.server.canary and len(self.server.rows) % self.server.canary == 0 else "stable"
            version = VERSIONS[arm]
            about = {"version": version, "revision": "2", "arm": arm, "variant": "cool", "outcome": "ok"}
            trace = self.headers["traceparent"].split("-")[1]
            self.server.rows[query] = {"query_id": query, "trace_id": trace, **about}
            answer = {"query_id": query, "model_version": version}
        else:
            self.server.rows[said["query_id"]] |= {"rating": said["rating"], "comment": said["comment"]}
            answer = {}
        body = json.dumps(answer).encode()
        self.send_response(200)
        for name, value in (("x-sluice-arm", arm), ("x-sluice-variant", "cool"), ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        """Nothing: the tests' output is theirs."""


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    with Gateway() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        rated = lambda namespace, select: [row for row in server.rows.values() if "rating" in row]  # noqa: E731
        monkeypatch.setattr(ratings.database, "rows", rated)
        monkeypatch.setattr(ratings, "WRITTEN_SECONDS", 0)
        yield server
        server.shutdown()


def test_ratings_that_are_kept_are_no_fault(gateway: Gateway) -> None:
    assert ratings.faults(gateway.url, "one", VERSIONS) == []
    arms = [row["arm"] for row in gateway.rows.values() if "rating" in row]
    assert (arms.count("stable"), arms.count("canary")) == (ratings.OF_EACH, ratings.OF_EACH)


def test_an_arm_without_an_answer_is_a_fault(gateway: Gateway) -> None:
    gateway.canary = 0

    assert ratings.faults(gateway.url, "one", VERSIONS) == ["no answer of canary could be rated"]


def test_an_answer_that_names_another_version_than_its_arms_is_a_fault(gateway: Gateway) -> None:
    found = ratings.faults(gateway.url, "one", VERSIONS | {"stable": "v1.1.0"})

    assert found == ["stable answered as v1.0.0"] * ratings.OF_EACH


def rating(**other: Any) -> dict[str, Any]:
    about = {"version": "v1", "arm": "stable", "variant": "plain", "trace_id": "t", "revision": "2", "outcome": "ok"}
    return {"query_id": "q", "rating": 5, "comment": "of one", **about, **other}


SAID = ratings.Rated("q", 5, "of one", "v1", "stable", "plain", "t")


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "a rating on stable has 0 rows in the database, not one"),
        ([rating(), rating()], "a rating on stable has 2 rows in the database, not one"),
        ([rating(rating=-1)], "a rating on stable is kept with rating -1"),
        ([rating(comment="at first")], "a rating on stable is kept with comment 'at first'"),
        ([rating(version="v2")], "a rating on stable is kept with version 'v2'"),
        ([rating(arm="canary")], "a rating on stable is kept with arm 'canary'"),
        ([rating(variant="")], "a rating on stable is kept with variant ''"),
        ([rating(trace_id="")], "a rating on stable is kept with trace_id ''"),
        ([rating(revision="")], "a rating on stable is kept with revision ''"),
    ],
)
def test_each_thing_that_is_kept_otherwise_is_said(rows: list[dict[str, Any]], fault: str) -> None:
    assert ratings.differences([SAID], rows) == [fault]


def test_a_row_as_it_was_said_is_no_difference() -> None:
    assert ratings.differences([SAID], [rating()]) == []


def test_a_row_is_waited_for_until_its_answer_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(["", "", "ok"])
    monkeypatch.setattr("lab.database.rows", lambda *_: [{"query_id": "q", "outcome": next(looks)}])
    assert ratings.kept("demo", {"q"}) == [{"query_id": "q", "outcome": "ok"}]
