"""Are the weights exact: 10 000 users asked at each step, and who answered them."""

import asyncio
import itertools
import math
from dataclasses import dataclass

import aiohttp

from lab.errors import NotReady

USERS = 10_000
AT_ONCE = 32
IN_A_ROW = 40  # new connections, each to a gateway pod at random: no pod of two is missed but once in 10^12
BEHIND_SECONDS = 20  # how long a gateway may take to hear of a step
DEVIATIONS = 3  # standard deviations of a binomial share: 0.3 % of honest runs fall outside


@dataclass(frozen=True)
class Sample:
    """Which of the users the canary answered while the weight stood at `weight` percent."""

    weight: int
    canary: frozenset[int]
    unanswered: int
    elsewhere: int  # answers that were given at another step: the weight moved meanwhile


def ask_all(url: str, model: str, weight: int, users: int = USERS) -> Sample:
    """Send one short request per user id, and note the arm that the gateway names."""
    return asyncio.run(asked(url, model, weight, users))


async def asked(url: str, model: str, weight: int, users: int) -> Sample:
    room = asyncio.Semaphore(AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=30)
    await heard(url, model, weight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE), timeout=timeout) as session:

        async def one(user: int) -> tuple[str, str]:
            body = {"model": model, "prompt": "hello", "max_tokens": 1}
            async with (
                room,
                session.post(
                    f"{url}/v1/completions", json=body, headers={"x-sluice-user": f"exact-{user:05d}"}
                ) as reply,
            ):
                await reply.read()
                good = reply.status == 200
                return (reply.headers.get("x-sluice-arm", "") if good else ""), reply.headers.get("x-sluice-step", "")

        seen = await asyncio.gather(*(one(user) for user in range(users)))
    return Sample(
        weight,
        frozenset(user for user, (arm, _) in enumerate(seen) if arm == "canary"),
        sum(not arm for arm, _ in seen),
        sum(step != str(weight) for _, step in seen),
    )


async def heard(url: str, model: str, weight: int) -> None:
    """Wait until every gateway has heard of the step: the Rollout knows its weight before they do.

    Raises:
        NotReady: one of them still counts another step.
    """
    step, seen = str(weight or 100), 0  # after an abort all is at 100 % again
    body = {"model": model, "prompt": "hello", "max_tokens": 1}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        try:
            async with asyncio.timeout(BEHIND_SECONDS):
                while seen < IN_A_ROW:
                    async with session.post(f"{url}/v1/completions", json=body) as reply:
                        seen = seen + 1 if reply.headers.get("x-sluice-step") == step else 0
        except TimeoutError:
            raise NotReady(f"a gateway has not heard of step {step} within {BEHIND_SECONDS} s") from None


def faults(samples: list[Sample], users: int = USERS) -> list[str]:
    """What is wrong with the samples, in the order of their weights: nothing, when the weights are exact."""
    found = [fault for sample in samples for fault in share_faults(sample, users)]
    for before, after in itertools.pairwise(samples):
        flipped = len(before.canary - after.canary) if after.weight >= before.weight else 0
        if flipped:
            found.append(f"{flipped} users left the canary while its weight grew to {after.weight} %")
    if samples and samples[-1].weight == 0 and samples[-1].canary:
        found.append(f"{len(samples[-1].canary)} users are on the canary after the abort")
    return found


def share_faults(sample: Sample, users: int) -> list[str]:
    share = sample.weight / 100
    allowed = DEVIATIONS * math.sqrt(users * share * (1 - share))
    seen = len(sample.canary)
    found = []
    if abs(seen - users * share) > allowed:
        found.append(f"at {sample.weight} % the canary answered {seen} of {users} users (± {allowed:.0f} allowed)")
    if sample.unanswered:
        found.append(f"at {sample.weight} % {sample.unanswered} users got no answer")
    if sample.weight and sample.elsewhere:
        found.append(f"at {sample.weight} % the weight moved under {sample.elsewhere} requests")
    return found
