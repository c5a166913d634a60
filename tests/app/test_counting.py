"""The middleware alone, around an application of the test's own."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.children import KnownCounter
from app.counting import Counting
from app.journal import Entry


class Seen:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.entries: list[Entry] = []
        counter = KnownCounter("asked", "x", ("method", "handler", "status"), registry=self.registry)

        async def answer(request: Request) -> Response:
            return PlainTextResponse("well", headers=dict(request.query_params))

        routes = Starlette(routes=[Route("/one/{name}", answer), Route("/livez", answer)])

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/fail":
                raise RuntimeError("a fault of our own")
            await routes(scope, receive, send)

        counted: Any = Counting(app, counter, self.entries.append, lambda: {"x-sluice-version": "v1"})
        self.client = TestClient(counted, raise_server_exceptions=False)

    def count(self, handler: str, status: int) -> float | None:
        labels = {"method": "GET", "handler": handler, "status": str(status)}
        return self.registry.get_sample_value("asked_total", labels)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def test_an_answer_is_counted_by_its_route_and_logged_once(seen: Seen) -> None:
    assert seen.client.get("/one/secret").text == "well"
    (entry,) = seen.entries
    assert (entry.method, entry.status) == ("GET", 200)
    assert entry.seconds > 0
    assert "secret" not in entry.path


def test_what_has_no_route_is_one_kind(seen: Seen) -> None:
    assert seen.client.get("/nowhere/secret").status_code == 404
    assert seen.count("other", 404) == 1


def test_a_fault_of_our_own_is_an_openai_error_counted_as_500(seen: Seen) -> None:
    reply = seen.client.get("/fail")
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "internal_error"
    assert [entry.status for entry in seen.entries] == [500]


def test_headers_are_added_where_the_answer_has_none_of_its_own(seen: Seen) -> None:
    assert seen.client.get("/one/x").headers["x-sluice-version"] == "v1"
    own = seen.client.get("/one/x?x-sluice-version=v2").headers.get_list("x-sluice-version")
    assert own == ["v2"]


def test_the_clusters_own_questions_are_not_logged(seen: Seen) -> None:
    seen.client.get("/livez")
    assert seen.entries == []
