"""A short way in for generations: the route's own function, without what FastAPI does for routes that need more.

FastAPI solves dependencies and keeps exit stacks for every request, which here costs a fifth of the gateway's CPU.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError

Refuse = Callable[[Request, ApiError], Awaitable[Response]]


class Names(Headers):
    """Found at once by a name; the usual ones search the list each time."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        # of a name that comes twice the first counts, as with the usual ones
        self.found: dict[bytes, bytes] = dict(reversed(scope["headers"]))

    def get(self, key: str, default: Any = None) -> Any:
        value = self.found.get(key.encode())
        return default if value is None else value.decode("latin-1")


class Asked(Request):
    headers: Names = None  # type: ignore[assignment]  # in place of a property, which looks each time whether it is known

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self.headers = Names(scope)


class Door:
    """POSTs to the paths of `routes` go to theirs at once; all else takes the usual way, also what is wrong there."""

    def __init__(self, app: ASGIApp, routes: Mapping[str, APIRoute], refuse: Refuse) -> None:
        self.app, self.routes, self.refuse = app, routes, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if not route:
            await self.app(scope, receive, send)
            return
        scope["route"] = route  # what counts and traces requests names them by it
        request = Asked(scope, receive, send)
        try:
            response = await route.endpoint(request)
        except ApiError as error:
            response = await self.refuse(request, error)
        await response(scope, receive, send)
