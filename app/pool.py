"""The pool of connections to the engines: each is used again, as long as its engine keeps it too."""

import asyncio
import base64
import functools
import ssl
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from app.lost import HungUp, Unreachable
from app.turns import Turns
from app.wire import Line, Reply

SOON_SECONDS = 0.1  # a reset that comes later may be somebody's between us and an engine that is at work
SPARE = 4  # connections to an engine that a crowd leaves to others: to make one takes as long as four turns of it
KEEP_ALIVE_SECONDS = 2  # uvicorn, which vLLM runs on, closes an idle connection after 5 s: never send on one so old


@dataclass(frozen=True)
class Address:
    """Where an engine takes requests; `head` is what all of them begin with."""

    host: str
    port: int
    secure: bool
    head: bytes


@functools.lru_cache(maxsize=1024)
def address(engine: str, path: str) -> Address:
    """Read once, for it costs as much as sending a request.

    Raises:
        ValueError: the engine's URL is none.
    """
    url = urlsplit(engine + path)
    secure, where = url.scheme == "https", url.netloc.rpartition("@")[2]
    lines = [f"POST {url.path}{'?' * bool(url.query)}{url.query} HTTP/1.1", f"host: {where}"]
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        lines.append(f"authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    lines.append("content-type: application/json\r\n")
    return Address(url.hostname or "", url.port or (443 if secure else 80), secure, "\r\n".join(lines).encode())


def known(engine: str, path: str) -> Address:
    try:
        return address(engine, path)
    except ValueError:
        raise Unreachable("the engine's address is none") from None


class Pool:
    """Without a limit: admission is our own. Needs a running loop."""

    def __init__(self, connect_seconds: float, turns: Turns | None = None) -> None:
        self.turns = turns or Turns()
        self.connect_seconds, self.loop = connect_seconds, asyncio.get_running_loop()
        self.idle: defaultdict[str, list[Line]] = defaultdict(list)  # by engine, the last used one last
        self.lines: set[Line] = set()
        self.sweeping: asyncio.TimerHandle | None = None

    async def post(
        self,
        engine: str,
        path: str,
        head: str,
        body: bytes,
        seconds: float,
        key: str = "",
        *,
        repeatable: bool = True,
    ) -> Reply:
        """Send a request; the reply has begun. Once more on a new connection when the engine had closed an old one.

        `head` are its lines of headers beside those that every request has, each with its end.
        What is not `repeatable` is so only where the engine cannot have read all of it. Whoever waits for it
        goes on in the turns of `key`.

        Raises:
            TimeoutError: no answer in time.
            Lost: no connection, or no answer on it.
        """
        began, to = self.loop.time(), known(engine, path)
        until = began + seconds
        said = f"{head}content-length: {len(body)}\r\n\r\n".encode("latin-1", "replace")
        request = b"".join((to.head, said, body))
        if line := self.kept(engine, key):
            try:
                return await line.ask(request, key).head(seconds)
            except HungUp as fault:
                unread = fault.untaken or (fault.reset and self.loop.time() - began < SOON_SECONDS)
                if fault.started or not (repeatable or unread):
                    raise
        line = await self.connected(engine, to, until - self.loop.time())
        return await line.ask(request, key).head(until - self.loop.time())

    def kept(self, engine: str, key: str) -> Line | None:
        """A connection that was used before and is good still; whoever asks for much makes others, and leaves some."""
        idle, left = self.idle.get(engine, []), SPARE if key in self.turns.waiting else 0
        while len(idle) > left:
            line = idle.pop()
            if not line.closed and self.loop.time() - line.since < KEEP_ALIVE_SECONDS:
                return line
            line.abort()
        return None

    async def connected(self, engine: str, to: Address, seconds: float) -> Line:
        def made() -> Line:
            return Line(self.loop, functools.partial(self.free, engine), self.turns)

        context = self.tls if to.secure else None
        try:
            async with asyncio.timeout(max(0.0, min(seconds, self.connect_seconds))):
                _, line = await self.loop.create_connection(made, to.host, to.port, ssl=context)
        except TimeoutError:
            raise Unreachable("no connection to the engine in time") from None
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the engine cannot be reached ({type(error).__name__})") from None
        self.lines.add(line)
        line.lost = functools.partial(self.forget, engine)
        return line

    @functools.cached_property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def free(self, engine: str, line: Line) -> None:
        line.since = self.loop.time()
        self.idle[engine].append(line)
        self.sweeping = self.sweeping or self.loop.call_later(KEEP_ALIVE_SECONDS, self.sweep)

    def forget(self, engine: str, line: Line) -> None:
        self.lines.discard(line)
        if line in (idle := self.idle.get(engine, [])):
            idle.remove(line)
        if not idle:
            self.idle.pop(engine, None)

    def sweep(self) -> None:
        """Close those that were not used for too long; again, while there are others."""
        self.sweeping, oldest = None, self.loop.time() - KEEP_ALIVE_SECONDS
        for idle in self.idle.values():
            for line in idle:
                if line.since <= oldest:
                    line.transport.close()  # it is forgotten when it is gone
        if self.idle:
            self.sweeping = self.loop.call_later(KEEP_ALIVE_SECONDS, self.sweep)

    async def aclose(self) -> None:
        if self.sweeping:
            self.sweeping.cancel()
        for line in list(self.lines):
            line.abort()
        await asyncio.sleep(0)
