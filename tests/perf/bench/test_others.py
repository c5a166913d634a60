import asyncio

from perf.bench import attack, others
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


class Leaving(Stalling):
    """Ends the connection instead of the third answer."""

    def data_received(self, data: bytes) -> None:
        self.answered += 1
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.close() if self.answered == 3 else self.answer()


async def test_a_connection_that_the_server_ends_is_a_failure_and_its_user_asks_again() -> None:
    _, found = await beside(Leaving, 8 * others.EVERY)

    assert found.failed >= others.USERS
    assert len(found.waits) > 2 * others.USERS


class Gone(Leaving):
    answered = 2


async def test_a_server_that_is_gone_fails_each_request_and_ends_nothing() -> None:
    async def work() -> list[Reply]:
        server.close()
        await asyncio.sleep(4 * others.EVERY)
        return []

    server = await asyncio.get_running_loop().create_server(Gone, "127.0.0.1", 0)
    _, found = await others.beside(server.sockets[0].getsockname()[1], work())

    assert found.failed >= 2 * others.USERS
    assert found.waits == []


class Refusing(Stalling):
    """Has no place for the crowd."""

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(ANSWER.replace(b"200", b"429" if attack.KEY.encode() in data else b"200", 1))


async def test_one_more_of_a_crowd_asks_one_at_a_time_and_its_refusals_are_timed() -> None:
    async def work() -> list[Reply]:
        await asyncio.sleep(4 * others.EVERY)
        return [Reply(429, 0.5, slow=True)]

    server = await asyncio.get_running_loop().create_server(Refusing, "127.0.0.1", 0)
    async with server:
        replies, found = await others.beside(server.sockets[0].getsockname()[1], work(), crowd=b"{}")

    assert found.failed == 0
    assert {one.status for one in replies} == {429}
    assert [one.slow for one in replies][:2] == [True, False]
    assert all(one.seconds > 0 for one in replies)
