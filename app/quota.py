"""How much a key may ask for in a minute and at once; across all gateways when there is a Redis or Valkey."""

import asyncio
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from app.errors import Busy
from app.keys import Key
from app.leases import Leases
from app.slots import ALONE

AWAY_SECONDS = 5  # how long a store that did not answer is left alone
STORE_SECONDS = 0.25
Counter = FixedWindowRateLimiter
Answer = TypeVar("Answer")
log = structlog.get_logger()


class Quotas:
    """Fixed windows of a minute. A store that is away is no reason to refuse: this pod counts alone meanwhile."""

    def __init__(self, url: str, lease_seconds: float) -> None:
        self.here = FixedWindowRateLimiter(MemoryStorage())
        self.shared = shared(url) if url else None
        self.leases = Leases(address(url), lease_seconds) if url else None
        self.away_until = 0.0
        self.spending: set[asyncio.Task[None]] = set()

    @property
    def away(self) -> bool:
        """Whether the store is left alone, for it did not answer."""
        return time.monotonic() < self.away_until

    def whose(self) -> str:
        """What is said of a limit: whether it holds for this pod alone."""
        return "" if self.shared and not self.away else ALONE

    async def request(self, key: Key) -> None:
        """Count one request.

        Raises:
            Busy: the key's requests of this minute are used up.
        """
        if key.requests_per_minute:
            item = RateLimitItemPerMinute(key.requests_per_minute)
            if not await self.counted(item, key.name, "requests", 1):
                await self.refuse(item, key, "requests")

    async def take(self, key: Key) -> None:
        """Count one request, that wants tokens too.

        Raises:
            Busy: the key's requests or tokens of this minute are used up.
        """
        await self.request(key)
        if key.tokens_per_minute:
            item = RateLimitItemPerMinute(key.tokens_per_minute)
            if not await self.left(item, key.name, "tokens"):
                await self.refuse(item, key, "tokens")

    async def begin(self, key: Key) -> str:
        """A lease on one of the key's places on all pods, to be given back with `end`; '' where this pod counts alone.

        Raises:
            Busy: it has none left.
        """
        leases, most = self.leases, key.concurrency
        if not leases or not most or self.away:
            return ""
        lease = secrets.token_hex(8)
        taken = await self.reached(lambda: leases.take(key.name, most, lease))
        if taken is None:  # a store that is but slow takes it all the same
            self.end(key, lease)
            return ""
        if not taken:
            raise Busy(429, "concurrency_exceeded", f"{most} requests of this key are under way")
        return lease

    def end(self, key: Key | None, lease: str) -> None:
        """Give it back, without anybody waiting for it."""
        if key and lease:
            self.beside(self.given(key.name, lease))

    async def given(self, name: str, lease: str) -> None:
        """Returns when the store has it, or nobody holds it any more."""
        leases = self.leases
        if not leases:
            return
        for _ in range(math.ceil(leases.seconds / AWAY_SECONDS)):
            if await self.reached(lambda: leases.give(name, lease)) is not None:
                return
            await asyncio.sleep(AWAY_SECONDS)

    def beside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.spending.add(task)
        task.add_done_callback(self.spending.discard)

    def spend(self, key: Key, tokens: int) -> None:
        """Count what an answer took, without anybody waiting for it."""
        if key.tokens_per_minute and tokens:
            self.beside(self.spent(key, tokens))

    async def spent(self, key: Key, tokens: int) -> None:
        await self.counted(RateLimitItemPerMinute(key.tokens_per_minute or 1), key.name, "tokens", tokens)

    async def refuse(self, item: RateLimitItem, key: Key, what: str) -> None:
        stats = await self.asked(lambda counter: counter.get_window_stats(item, what, key.name))
        message = f"{item.amount} {what} per minute{self.whose()} are used up: come back when the next minute begins"
        raise Busy(429, "rate_limit_exceeded", message, retry_after=stats.reset_time - time.time())

    async def counted(self, item: RateLimitItem, name: str, what: str, cost: int) -> bool:
        return await self.asked(lambda counter: counter.hit(item, what, name, cost=cost))

    async def left(self, item: RateLimitItem, name: str, what: str) -> bool:
        return await self.asked(lambda counter: counter.test(item, what, name))

    async def asked(self, what: Callable[[Counter], Awaitable[Answer]]) -> Answer:
        """What the shared store says, or this pod's own count while that is away."""
        counter = self.shared
        found = await self.reached(lambda: what(counter)) if counter else None
        return await what(self.here) if found is None else found

    async def reached(self, asking: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """What the shared store says; None while it is away."""
        if self.away:
            return None
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await asking()
        except (RedisError, OSError, TimeoutError) as error:
            self.away_until = time.monotonic() + AWAY_SECONDS
            log.warning("limits_store_away", error=type(error).__name__)
            return None


def address(url: str) -> str:
    """A Redis' or a Valkey's, which speak the same protocol."""
    scheme, _, rest = url.partition("://")
    return f"redis{'s' if scheme in ('rediss', 'valkeys') else ''}://{rest}"


def shared(url: str) -> Counter:
    return FixedWindowRateLimiter(RedisStorage(f"async+{address(url)}", implementation="redispy"))
