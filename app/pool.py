"""The pool of connections to the engines, which says of each request whether its connection was used before."""

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

KEEP_ALIVE_SECONDS = 2
NOT_SENT = ("accept", "accept-encoding", "user-agent")  # headers of aiohttp's own that no engine reads
reused: ContextVar[bool] = ContextVar("reused", default=False)
only_new: ContextVar[bool] = ContextVar("only_new", default=False)


class Pool(aiohttp.TCPConnector):
    """Without a limit: admission is our own, and aiohttp's 100 connections would let the rest wait."""

    def __init__(self) -> None:
        # uvicorn, which vLLM runs on, closes an idle connection after 5 s: never send on one so old
        super().__init__(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        found = None if only_new.get() else await super()._get(key, traces)
        reused.set(found is not None)
        return found


@contextlib.contextmanager
def new_connection() -> Iterator[None]:
    """Requests inside go out on no connection that was used before."""
    token = only_new.set(True)
    try:
        yield
    finally:
        only_new.reset(token)


def was_stale(error: aiohttp.ClientError) -> bool:
    """Whether the engine had closed the connection before this request: it was used, and not a byte came back."""
    partly = isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
    return reused.get() and not partly


def session(connect_seconds: float) -> aiohttp.ClientSession:
    """One for all engines; needs a running loop. Their cookies are nobody's business, least of all another engine's."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
    jar = aiohttp.DummyCookieJar()
    return aiohttp.ClientSession(connector=Pool(), timeout=timeout, cookie_jar=jar, skip_auto_headers=NOT_SENT)


@functools.lru_cache(maxsize=1024)
def address(engine: str, path: str) -> URL:
    """Where an engine takes a request; read once, for it costs as much as sending it."""
    return URL(engine + path)
