import time

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from app.leases import Leases


@pytest.fixture
def leases() -> Leases:
    found = Leases("redis://127.0.0.1:1", seconds=100)
    found.store = FakeAsyncRedis(server=FakeServer())
    return found


async def test_a_key_holds_as_many_as_it_may_and_others_are_not_counted(leases: Leases) -> None:
    held = [await leases.take("a", 2) for _ in range(3)]

    assert len(set(held)) == 3
    assert held[2] == ""
    assert await leases.take("b", 1)


async def test_a_lease_that_is_given_back_is_somebody_elses_once(leases: Leases) -> None:
    lease = await leases.take("a", 1)

    assert await leases.give("a", lease)
    assert not await leases.give("a", lease)
    assert await leases.take("a", 1)
    assert await leases.take("a", 1) == ""


async def test_what_nobody_gives_back_runs_out_one_by_one(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    now, taken = time.time(), list[bool]()
    for after in (0, 50, 99, 101, 102, 151):
        monkeypatch.setattr("app.leases.time.time", lambda at=now + after: at)
        taken.append(bool(await leases.take("a", 2)))

    assert taken == [True, True, False, True, False, True]
