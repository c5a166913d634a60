"""Counts every answer by endpoint and status; plain ASGI, for a middleware task per frame would cost three times."""

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Counting:
    def __init__(self, app: ASGIApp, requests: Counter) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("route")
                handler = getattr(route, "path", "other")
                self.requests.labels(scope["method"], handler, str(message["status"])).inc()
            await send(message)

        await self.app(scope, receive, counted)
