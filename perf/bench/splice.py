"""The least that can stand between a client and an engine: bytes in, bytes out. `… PORT TARGET_PORT`"""

import asyncio
import sys
from typing import cast

import uvloop


class Side(asyncio.Protocol):
    """One of the two connections; what comes before the other is there waits."""

    def __init__(self) -> None:
        self.other: asyncio.Transport | None = None
        self.early: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        if self.other:
            self.other.write(data)
        else:
            self.early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other:
            self.other.close()


class Front(Side):
    def __init__(self, target: int) -> None:
        super().__init__()
        self.target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.mine = cast(asyncio.Transport, transport)
        self.joining = asyncio.get_running_loop().create_task(self.join())

    async def join(self) -> None:
        back = Side()
        back.other = self.mine
        made, _ = await asyncio.get_running_loop().create_connection(lambda: back, "127.0.0.1", self.target)
        self.other = made
        self.other.writelines(self.early)


async def serve(port: int, target: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Front(target), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
