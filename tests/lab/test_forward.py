import asyncio
import socket

from aiohttp import web
from aiohttp.test_utils import TestServer

from lab import forward, paths


def test_it_leads_from_a_loopback_port_to_the_service() -> None:
    command = list(forward.program("llm-gateway", "shop", 30100, 8080).command)

    assert command[-2:] == ["30100:8080", "--address=127.0.0.1"]
    assert command[-5:-2] == ["-n", "shop", "service/llm-gateway"]
    assert str(paths.KUBECONFIG) in command


def test_two_namespaces_have_two_forwarders() -> None:
    assert forward.name("one", "llm-gateway") != forward.name("two", "llm-gateway")


async def test_any_answer_of_the_other_end_counts_as_reached() -> None:
    async with TestServer(web.Application()) as server:  # it answers 404
        assert await asyncio.to_thread(forward.reached(server.port or 0))


def test_nobody_there_is_not_reached() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert not forward.reached(taken.getsockname()[1])()
