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

        def count(status: int) -> None:
            entry.path, entry.status = getattr(scope.get("route"), "path", "other"), status
            self.requests.labels(scope["method"], entry.path, str(status)).inc()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, counted)
        except Exception:
            if not entry.status:
                count(500)  # Starlette answers it, beyond this
            raise
        finally:
            if scope["path"] not in UNLOGGED:
                entry.path = entry.path or getattr(scope.get("route"), "path", "other")
                entry.method, entry.ended = scope["method"], time.time()
                entry.seconds = time.perf_counter() - entry.began
                self.ended(entry)
