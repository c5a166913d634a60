import secrets
import time

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from app.leases import Leases


@pytest.fixture
def leases() -> Leases:
    found = Leases("redis://127.0.0.1:1", seconds=100)
    found.store = FakeAsyncRedis(server=FakeServer())
    return found


async def taken(leases: Leases, name: str, most: int) -> str:
    lease = secrets.token_hex(8)
    return lease if await leases.take(name, most, lease) else ""


async def test_a_key_holds_as_many_as_it_may_and_others_are_not_counted(leases: Leases) -> None:
    held = [await taken(leases, "a", 2) for _ in range(3)]

    assert len(set(held)) == 3
    assert held[2] == ""
    assert await taken(leases, "b", 1)


async def test_a_lease_that_is_given_back_is_somebody_elses_once(leases: Leases) -> None:
    lease = await taken(leases, "a", 1)

    assert await leases.give("a", lease)
    assert not await leases.give("a", lease)
    assert await taken(leases, "a", 1)
    assert await taken(leases, "a", 1) == ""


async def test_what_nobody_gives_back_runs_out_one_by_one(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    now, found = time.time(), list[bool]()
    for after in (0, 50, 99, 101, 102, 151):
        monkeypatch.setattr("app.leases.time.time", lambda at=now + after: at)
        found.append(bool(await taken(leases, "a", 2)))

    assert found == [True, True, False, True, False, True]
