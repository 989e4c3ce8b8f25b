"""A TCP proxy between a client and a server that fails on command, the same way for the same seed."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter, Task, TaskGroup
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from random import Random
from typing import Final

from bench.faults.link import BUFFER, CLEAR, Conditions, Link

__all__ = ["Direction", "Passage", "Proxy", "open_proxy"]

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Direction(Enum):
    """One of the two directions of a connection."""

    UP = "client to server"
    DOWN = "server to client"


def _reset(writer: StreamWriter) -> None:
    if not writer.is_closing():
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()


class Passage:
    """One connection through the proxy; `links` has its two directions."""

    def __init__(self, links: dict[Direction, Link], writers: tuple[StreamWriter, StreamWriter]) -> None:
        self.links = links
        self._writers = writers

    async def carry(self) -> None:
        """Until both sides have ended; when one is reset, so is the other."""
        try:
            async with TaskGroup() as tasks:
                for link in self.links.values():
                    tasks.create_task(link.carry())
        except* OSError:
            self.reset()
        finally:
            for writer in self._writers:
                writer.close()

    def stall(self) -> None:
        """Nothing passes any more, not even an end; both sides see a connection that is silent."""
        for link in self.links.values():
            link.stall()

    def go_on(self) -> None:
        for link in self.links.values():
            link.go_on()

    def reset(self) -> None:
        """RST to both sides; what is on its way is lost."""
        self.go_on()
        for writer in self._writers:
            _reset(writer)


class Proxy:
    """Listens on a loopback port of its own and passes each connection on to the server.

    Args:
        port: where the server listens, on loopback.
        random: all chance comes from it.
        receive_buffer: of the kernel towards the server, bytes: what a stalled passage takes from it all the same.

    Attributes:
        port: where clients connect.
        passages: the open connections, the oldest first.
    """

    port: int

    def __init__(self, port: int, random: Random, receive_buffer: int | None = None) -> None:
        self.passages: list[Passage] = []
        self._server_port = port
        self._random = random
        self._receive_buffer = receive_buffer
        self._conditions = dict.fromkeys(Direction, CLEAR)

    def apply(self, up: Conditions = CLEAR, down: Conditions = CLEAR) -> None:
        """From now on, for connections that are open and that will be."""
        self._conditions = {Direction.UP: up, Direction.DOWN: down}
        for passage in self.passages:
            for direction, conditions in self._conditions.items():
                passage.links[direction].conditions = conditions

    def stall(self) -> None:
        """Stall what is open; new connections pass."""
        for passage in self.passages:
            passage.stall()

    def go_on(self) -> None:
        for passage in self.passages:
            passage.go_on()

    def reset(self) -> None:
        for passage in self.passages:
            passage.reset()

    def half_close(self, direction: Direction) -> None:
        """End one direction of what is open; the other one goes on."""
        for passage in self.passages:
            passage.links[direction].half_close()

    async def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass one connection on, from its beginning to its end."""
        try:
            streams = await self._connect()
        except OSError:
            _reset(writer)
            return
        passage = self._passage((reader, writer), streams)
        self.passages.append(passage)
        try:
            await passage.carry()
        finally:
            self.passages.remove(passage)

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        raw = socket.socket()
        raw.setblocking(False)
        if self._receive_buffer is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self._server_port))
        except OSError:
            raw.close()
            raise
        return await asyncio.open_connection(sock=raw, limit=BUFFER)

    def _passage(self, client: tuple[StreamReader, StreamWriter], server: tuple[StreamReader, StreamWriter]) -> Passage:
        up, down = self._conditions[Direction.UP], self._conditions[Direction.DOWN]
        links = {
            Direction.UP: Link(client[0], server[1], up, self._random),
            Direction.DOWN: Link(server[0], client[1], down, self._random),
        }
        return Passage(links, (client[1], server[1]))


@asynccontextmanager
async def open_proxy(port: int, random: Random, receive_buffer: int | None = None) -> AsyncIterator[Proxy]:
    """A proxy before the server on loopback port `port`, as long as the block lasts. Open connections are reset."""
    proxy = Proxy(port, random, receive_buffer)
    tasks: set[Task[None]] = set()
    listener = await asyncio.start_server(
        lambda reader, writer: tasks.add(asyncio.create_task(proxy.accept(reader, writer))),
        "127.0.0.1",
        0,
        limit=BUFFER,
    )
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        proxy.reset()
        await asyncio.gather(*tasks)
