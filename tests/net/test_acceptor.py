"""What the kernel keeps of a connection is bounded, in both directions."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from rhythmd.net.acceptor import RECEIVE_BUFFER, UNSENT, Acceptor
from rhythmd.net.connection import Connection
from rhythmd.net.transports import RECEIVE_BUFFER as SOCKET_BUFFER
from rhythmd.rest.serving.connection import HttpConnection
from tests.deadline import until
from tests.raw import ConnectRaw
from tests.server import Serve

LARGE: Final = bytes(1 << 20)
SMALL_WINDOW: Final = 4_096
MOST: Final = 4
"""Times what is asked for: a kernel doubles it, and counts its own records, too."""


@pytest.fixture
async def connected() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    """The server's and the client's end of a connection; the client takes little in before it is read."""
    accepted: list[socket.socket] = []
    acceptor = Acceptor(lambda raw, _: accepted.append(raw), lambda: False, lambda: False)
    port = await acceptor.listen(["127.0.0.1"], 0)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_WINDOW)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    await until(lambda: accepted, "it is accepted")
    yield accepted[0], client
    acceptor.close()
    for end in (accepted[0], client):
        end.close()


async def sent_unread(end: socket.socket) -> int:
    """Bytes that can be sent before the other end reads any."""
    total, idle = 0, 0
    while idle < 3:
        try:
            total += end.send(LARGE)
            idle = 0
        except BlockingIOError:
            idle += 1
            await asyncio.sleep(0.01)
    return total


Pick = Callable[[tuple[socket.socket, socket.socket]], socket.socket]


@pytest.mark.parametrize(("pick", "bound"), [(lambda ends: ends[0], UNSENT), (lambda ends: ends[1], RECEIVE_BUFFER)])
async def test_kernel_takes_little_that_is_not_read(
    connected: tuple[socket.socket, socket.socket], pick: Pick, bound: int
) -> None:
    assert await sent_unread(pick(connected)) < MOST * bound


def receive_buffers(kind: type) -> list[int]:
    """Of the open connections of this kind, as the kernel has them: doubled."""
    transports = [
        each.transport if isinstance(each, Connection) else each._outlet
        for each in gc.get_objects()
        if isinstance(each, kind) and isinstance(each, Connection | HttpConnection)
    ]
    return [
        each.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        for each in transports
        if each is not None and not each.is_closing()
    ]


async def test_body_has_a_larger_buffer_than_a_socket(serve: Serve, connect_raw: ConnectRaw) -> None:
    """So that an upload over a long way is no slower than it need be, and a socket is read in small parts."""
    client = await connect_raw(await serve())
    client.write(b"POST /api/v1/auth/guest HTTP/1.1\r\n")
    await until(lambda: receive_buffers(HttpConnection), "it is handed over")
    assert min(receive_buffers(HttpConnection)) > 2 * SOCKET_BUFFER
    other = await connect_raw(await serve())
    await other.upgrade()
    assert receive_buffers(Connection) == [2 * SOCKET_BUFFER]
