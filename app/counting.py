"""Counts every answer by endpoint and status; plain ASGI, for a middleware task per frame would cost three times."""

import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.children import KnownCounter
from app.description import STATUSES
from app.errors import shaped
from app.journal import Entry

UNLOGGED = {"/livez", "/readyz", "/metrics"}  # the cluster's own, every few seconds


class Counting:
    """`ended` gets what is known of a request, once it is over; each answer has the headers of `said`, or its own."""

    def __init__(
        self, app: ASGIApp, requests: KnownCounter, ended: Callable[[Entry], None], said: Callable[[], dict[str, str]]
    ) -> None:
        self.app, self.requests, self.ended, self.said = app, requests, ended, said
        self.own = {name.encode() for name in said()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        entry = Entry()
        scope.setdefault("state", {})["entry"] = entry

        def counted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                entry.path, entry.status = getattr(scope.get("route"), "path", "other"), message["status"]
                self.requests.of[scope["method"], entry.path, str(entry.status)].inc()
                if not entry.exchange:
                    message["headers"] = self.completed(message.get("headers", ()))
            return send(message)

        try:
            await self.app(scope, receive, counted)
        except Exception:
            if not entry.status:  # a fault of our own: in OpenAI's shape too, and counted
                failed = shaped(500, *STATUSES[500], None)
                said = self.said() | scope["state"].get("headers", {})  # of the request, like its id
                closes = {"connection": "close"}  # as the server then does: nobody sends on it what would be lost
                await JSONResponse(failed, 500, said | closes)(scope, receive, counted)
            raise
        finally:
            if scope["path"] not in UNLOGGED:
                entry.path = entry.path or getattr(scope.get("route"), "path", "other")
                entry.method, entry.ended = scope["method"], time.time()
                entry.seconds = time.perf_counter() - entry.began
                self.ended(entry)

    def completed(self, headers: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
        missing = self.own - dict(headers).keys()
        if not missing:
            return headers
        named = ((name.encode(), value.encode("latin-1")) for name, value in self.said().items())
        return [*headers, *(one for one in named if one[0] in missing)]
