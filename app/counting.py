"""Counts every answer by endpoint and status; plain ASGI, for a middleware task per frame would cost three times."""

import time
from collections.abc import Callable

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.journal import Entry

UNLOGGED = {"/livez", "/readyz", "/metrics"}  # the cluster's own, every few seconds


class Counting:
    """`ended` gets what is known of a request, once it is over."""

    def __init__(self, app: ASGIApp, requests: Counter, ended: Callable[[Entry], None]) -> None:
        self.app, self.requests, self.ended = app, requests, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        entry = Entry()
        scope.setdefault("state", {})["entry"] = entry

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                entry.path = getattr(route, "path", "other")
                entry.status = message["status"]
                self.requests.labels(scope["method"], entry.path, str(entry.status)).inc()
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            if scope["path"] not in UNLOGGED:
                entry.method, entry.ended = scope["method"], time.time()
                entry.seconds = time.perf_counter() - entry.began
                self.ended(entry)
