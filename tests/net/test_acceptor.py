"""What the kernel keeps of a connection is bounded, in both directions."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from rhythmd.app import Server
from rhythmd.net.acceptor import UNSENT, Acceptor
from rhythmd.net.transports import RECEIVE_BUFFER
from rhythmd.rest.serving.connection import HttpConnection
from tests.deadline import until
from tests.raw import ConnectRaw
from tests.rest.api import open_api

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


def receive_buffer(connection: HttpConnection) -> int:
    """As the kernel has it: doubled."""
    assert connection._outlet is not None
    raw: socket.socket = connection._outlet.get_extra_info("socket")
    return raw.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


async def test_file_that_somebody_may_send_has_a_larger_buffer(server: Server, connect_raw: ConnectRaw) -> None:
    """So that an upload over a long way is no slower than it need be, and what nobody wants costs little."""
    async with open_api(server) as api:
        token = (await api.register("clara")).access_token
    client = await connect_raw(server)
    client.write(
        b"PUT /api/v1/users/avatar HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        + f"Authorization: Bearer {token}\r\nContent-Length: 20000\r\n\r\n".encode()
    )

    def sizes() -> list[int]:
        return [receive_buffer(each) for each in gc.get_objects() if isinstance(each, HttpConnection) and each._outlet]

    await until(lambda: max(sizes(), default=0) > 2 * RECEIVE_BUFFER, "the file is read")
    client.write(b"x" * 20_000)
    assert (await client.response()).status == 422  # it is no picture
    await until(lambda: max(sizes(), default=0) <= 2 * RECEIVE_BUFFER, "it is small again")
