"""How many requests of a key run at once on all gateways: each holds a lease in a Redis or Valkey until it ends."""

import time
from collections.abc import Awaitable
from typing import cast

import redis.asyncio

TAKE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[4])
redis.call('EXPIREAT', KEYS[1], math.ceil(ARGV[2]))
return 1
"""


class Leases:
    """One runs out after `seconds`, which no request lasts: what a gateway held that was killed comes back."""

    def __init__(self, address: str, seconds: float) -> None:
        self.store = redis.asyncio.Redis.from_url(address)
        self.seconds = seconds

    async def take(self, name: str, most: int, lease: str) -> bool:
        """False when the key holds as many as it may. Raises what the store does when it is away."""
        now = time.time()
        values = (repr(now), repr(now + self.seconds), str(most), lease)
        return bool(await cast("Awaitable[int]", self.store.eval(TAKE, 1, held(name), *values)))

    async def give(self, name: str, lease: str) -> bool:
        return bool(await self.store.zrem(held(name), lease))


def held(name: str) -> str:
    return f"sluice:leases:{name}"
