"""How many may connect, and that everybody who goes is counted out."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final, Protocol, cast

import pytest

from rhythmd.app import Server
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns
from rhythmd.net.incoming import IncomingConnection
from rhythmd.net.listener import MOST_LINGERING, Listener
from rhythmd.telemetry import Stats
from tests.deadline import until
from tests.metrics import connections, until_connections
from tests.raw import ConnectRaw, RawClient, frame, upgrade_request
from tests.server import Serve

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLOSE = 0x88
REFUSAL: Final = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"


async def test_connection_over_the_limit_is_refused_until_one_goes(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.connections=3")
    websocket, other, silent = [await connect_raw(server) for _ in range(3)]
    for client in (websocket, other):
        await client.upgrade()
    refused = await connect_raw(server)
    response = await refused.response()
    assert (response.status, response.headers["retry-after"]) == (503, "10")
    assert await refused.rest() == b""
    await silent.close()
    await until_connections(server, 2)
    again = await connect_raw(server)
    await again.upgrade()


async def test_loopback_does_not_count_as_one_address(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.connections_per_address=1")
    for _ in range(3):
        client = await connect_raw(server)
        await client.upgrade()
    assert await connections(server) == 3


async def upgrade_then_fin(client: RawClient) -> None:
    await client.upgrade()
    client.half_close()


async def upgrade_then_reset(client: RawClient) -> None:
    await client.upgrade()
    client.reset()


async def close_handshake(client: RawClient) -> None:
    await client.upgrade()
    client.write(frame(CLOSE, b"\x03\xe8"))
    assert await client.close_code() == 1000


async def protocol_error(client: RawClient) -> None:
    await client.upgrade()
    client.write(b"\xff\xff")
    assert await client.close_code() == 1002


async def fin_in_a_frame(client: RawClient) -> None:
    await client.upgrade()
    client.write(frame(0x82, b"cut short")[:8])
    client.half_close()


async def fin_at_once(client: RawClient) -> None:
    client.half_close()


async def reset_at_once(client: RawClient) -> None:
    client.reset()


async def reset_in_the_handshake(client: RawClient) -> None:
    client.write(upgrade_request()[:40])
    client.reset()


async def refused_handshake(client: RawClient) -> None:
    client.write(upgrade_request(changes={"Sec-WebSocket-Key": None}))
    assert (await client.response()).status == 400


async def http_then_fin(client: RawClient) -> None:
    client.write(LIVE)
    await client.response()
    client.half_close()


async def http_then_reset(client: RawClient) -> None:
    client.write(LIVE)
    client.reset()


async def http_garbage(client: RawClient) -> None:
    client.write(b"\x00\x01\x02\r\n\r\n")
    assert (await client.response()).status == 400


@pytest.mark.parametrize(
    "end",
    [
        upgrade_then_fin, upgrade_then_reset, close_handshake, protocol_error, fin_in_a_frame, fin_at_once,
        reset_at_once, reset_in_the_handshake, refused_handshake, http_then_fin, http_then_reset, http_garbage,
    ],
)  # fmt: skip
async def test_every_end_is_counted(
    server: Server, connect_raw: ConnectRaw, end: Callable[[RawClient], Awaitable[None]]
) -> None:
    clients = [await connect_raw(server) for _ in range(2)]
    for client in clients:
        await end(client)
    for client in clients:
        await client.close()
    await until_connections(server, 0)


PROXY = "192.0.2.1"


# By address: no connection from elsewhere reaches a test, so the listener is given these as if they came from there.


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """Two connections from one address are allowed, five in all."""
    limits = LimitsConfig(connections=5, connections_per_address=2)
    turns = Turns(asyncio.get_running_loop(), limits, Stats())
    listener = Listener(limits, [PROXY], Successor, lambda: REFUSAL, turns)
    yield listener
    await listener.drain(0)
    await until(lambda: not listener.connections, "all are gone")


class Successor(asyncio.Protocol):
    """The HTTP side."""

    def __init__(self, incoming: IncomingConnection) -> None:
        self._incoming = incoming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(f"{self._incoming.address} ".encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self._incoming.gone()


class Door:
    """The client's end of a connection from `address`, with the first bytes on it."""

    def __init__(self, listener: Listener, address: str, first: bytes = b"") -> None:
        ours, self.socket = socket.socketpair()
        for end in (ours, self.socket):
            end.setblocking(False)
        self.socket.send(first)
        listener.receive(ours, address)

    async def answer(self) -> str:
        """The address that it was handed over with, or `refused`."""
        answer = b""
        while not answer.endswith((b" ", REFUSAL)):
            answer += await asyncio.get_running_loop().sock_recv(self.socket, 1_024)
        return "refused" if answer == REFUSAL else answer.decode().strip()


class Knock(Protocol):
    """Opens a connection from an address, with the first bytes on it."""

    def __call__(self, address: str, first: bytes = b"") -> Door: ...


@pytest.fixture
def knock(listener: Listener) -> Iterator[Knock]:
    doors: list[Door] = []

    def knock(address: str, first: bytes = b"") -> Door:
        doors.append(Door(listener, address, first))
        return doors[-1]

    yield knock
    for door in doors:
        door.socket.close()


async def test_address_over_its_limit_makes_no_room_while_it_is_at_work(listener: Listener, knock: Knock) -> None:
    doors = [knock("203.0.113.7") for _ in range(2)]
    assert [await door.answer() for door in doors] == ["203.0.113.7"] * 2
    refused = knock("203.0.113.7")
    assert await refused.answer() == "refused"
    assert await knock("203.0.113.8").answer() == "203.0.113.8"
    assert listener.connections == 3
    doors[0].socket.close()
    await until(lambda: listener.connections == 2, "one is gone")
    assert await knock("203.0.113.7").answer() == "203.0.113.7"


async def test_address_mapped_into_ipv6_counts_as_its_ipv4(knock: Knock) -> None:
    addresses = ("203.0.113.7", "::ffff:203.0.113.7", "::ffff:203.0.113.7")
    answers = [await knock(address).answer() for address in addresses]
    assert answers == ["203.0.113.7", "203.0.113.7", "refused"]


async def test_loopback_in_any_form_has_no_limit_of_its_own(knock: Knock) -> None:
    addresses = ("127.0.0.1", "127.0.0.1", "127.0.0.1", "::1", "::ffff:127.0.0.1")
    doors = [knock(address) for address in addresses]
    assert "refused" not in [await door.answer() for door in doors]
    assert await knock("127.0.0.1").answer() == "refused", "the limit of all holds"


async def test_one_network_of_ipv6_is_one_customer(knock: Knock) -> None:
    doors = [knock(f"2001:db8:0:1::{number}%eth0") for number in (1, 2)]
    assert "refused" not in [await door.answer() for door in doors]
    assert await knock("2001:db8:0:1:ffff::3").answer() == "refused"
    assert await knock("2001:db8:0:2::1").answer() == "2001:db8:0:2::1"


async def test_refused_connections_that_stay_open_are_bounded(listener: Listener, knock: Knock) -> None:
    doors = [knock("203.0.113.7") for _ in range(2 + MOST_LINGERING)][2:]
    assert {await door.answer() for door in doors} == {"refused"}
    doors[0].socket.send(b"what it still says overtakes nothing")
    last = knock("203.0.113.7")
    assert await last.answer() == "refused"
    with pytest.raises(OSError, match="Broken pipe"):
        doors[0].socket.send(b"?")
    doors[1].socket.send(b"?")
    await listener.drain(0)
    with pytest.raises(OSError, match="Broken pipe"):
        doors[1].socket.send(b"?")


def proxied(address: str) -> bytes:
    return f"PROXY TCP4 {address} 192.0.2.2 1 2\r\n".encode()


async def test_connections_of_a_proxy_are_counted_by_the_clients_that_it_names(knock: Knock) -> None:
    doors = [knock(PROXY, proxied("203.0.113.7")) for _ in range(2)]
    assert [await door.answer() for door in doors] == ["203.0.113.7"] * 2
    assert await knock(PROXY, proxied("203.0.113.7")).answer() == "refused"
    assert await knock("203.0.113.7").answer() == "refused", "it is the same client without the proxy"
    others = [knock(PROXY, b"GET / HTTP/1.1\r\n") for _ in range(3)]
    assert {await other.answer() for other in others} == {PROXY}, "the proxy itself has no limit but that of all"
