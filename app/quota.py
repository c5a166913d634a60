"""Requests and tokens per minute of each key; across all gateways when there is a Redis or Valkey to count in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from app.errors import Busy
from app.keys import Key

AWAY_SECONDS = 5  # how long a store that did not answer is left alone
STORE_SECONDS = 0.25
Counter = FixedWindowRateLimiter
Answer = TypeVar("Answer")
log = structlog.get_logger()


class Quotas:
    """Fixed windows of a minute. A store that is away is no reason to refuse: this pod counts alone meanwhile."""

    def __init__(self, url: str) -> None:
        self.here = FixedWindowRateLimiter(MemoryStorage())
        self.shared = shared(url) if url else None
        self.away_until = 0.0
        self.spending: set[asyncio.Task[None]] = set()

    async def take(self, key: Key) -> None:
        """Count one request.

        Raises:
            Busy: the key's requests or tokens of this minute are used up.
        """
        if key.requests_per_minute:
            item = RateLimitItemPerMinute(key.requests_per_minute)
            if not await self.counted(item, key.name, "requests", 1):
                await self.refuse(item, key, "requests")
        if key.tokens_per_minute:
            item = RateLimitItemPerMinute(key.tokens_per_minute)
            if not await self.left(item, key.name, "tokens"):
                await self.refuse(item, key, "tokens")

    def spend(self, key: Key, tokens: int) -> None:
        """Count what an answer took, without anybody waiting for it."""
        if key.tokens_per_minute and tokens:
            task = asyncio.create_task(self.spent(key, tokens))
            self.spending.add(task)
            task.add_done_callback(self.spending.discard)

    async def spent(self, key: Key, tokens: int) -> None:
        await self.counted(RateLimitItemPerMinute(key.tokens_per_minute or 1), key.name, "tokens", tokens)

    async def refuse(self, item: RateLimitItem, key: Key, what: str) -> None:
        stats = await self.asked(lambda counter: counter.get_window_stats(item, what, key.name))
        message = f"{item.amount} {what} per minute are used up: come back when the next minute begins"
        raise Busy(429, "rate_limit_exceeded", message, retry_after=stats.reset_time - time.time())

    async def counted(self, item: RateLimitItem, name: str, what: str, cost: int) -> bool:
        return await self.asked(lambda counter: counter.hit(item, what, name, cost=cost))

    async def left(self, item: RateLimitItem, name: str, what: str) -> bool:
        return await self.asked(lambda counter: counter.test(item, what, name))

    async def asked(self, what: Callable[[Counter], Awaitable[Answer]]) -> Answer:
        """What the shared store says, or this pod's own count while that is away."""
        if self.shared and time.monotonic() >= self.away_until:
            try:
                async with asyncio.timeout(STORE_SECONDS):
                    return await what(self.shared)
            except (RedisError, OSError, TimeoutError) as error:
                self.away_until = time.monotonic() + AWAY_SECONDS
                log.warning("limits_store_away", error=type(error).__name__)
        return await what(self.here)


def shared(url: str) -> Counter:
    """Counts in a Redis or a Valkey, which speak the same protocol."""
    scheme, _, address = url.partition("://")
    secure = "s" if scheme in ("rediss", "valkeys") else ""
    return FixedWindowRateLimiter(RedisStorage(f"async+redis{secure}://{address}", implementation="redispy"))
