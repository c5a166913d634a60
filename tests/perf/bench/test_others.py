import asyncio

from perf.bench import others
from perf.bench.attack import Reply
from perf.blank import ANSWER

STILL = 0.3  # seconds


class Stalling(asyncio.Protocol):
    """Answers at once, but the third request after a while."""

    answered, status = 0, b"200"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.answered += 1
        asyncio.get_running_loop().call_later(STILL if self.answered == 3 else 0, self.answer)

    def answer(self) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(ANSWER.replace(b"200", self.status, 1))


class Failing(Stalling):
    status = b"500"


async def beside(server: type[Stalling], seconds: float) -> tuple[list[Reply], others.Others]:
    async def work() -> list[Reply]:
        await asyncio.sleep(seconds)
        return [Reply(400, 0.0)]

    running = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    async with running:
        return await others.beside(running.sockets[0].getsockname()[1], work())


async def test_a_server_that_stands_still_is_seen_by_all_that_were_due_meanwhile() -> None:
    replies, found = await beside(Stalling, 2 * STILL)

    assert [one.status for one in replies] == [400]
    slow = [wait for wait in found.waits if wait > STILL / 2]
    assert len(slow) >= others.USERS * int(STILL / 2 / others.EVERY)
    assert found.ms(100) >= 1000 * STILL
    assert found.failed == 0


async def test_each_answer_that_is_no_200_is_a_failure() -> None:
    _, found = await beside(Failing, 2 * others.EVERY)

    assert found.failed == len(found.waits) > 0
