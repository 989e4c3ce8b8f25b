"""How many may connect, and that everybody who goes is counted out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rhythmd.app import Server
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns
from rhythmd.net.listener import MOST_LINGERING, IncomingConnection, Listener
from rhythmd.telemetry import Stats
from tests.metrics import connections, until_connections
from tests.net.recording import RecordingTransport
from tests.raw import ConnectRaw, RawClient, frame, upgrade_request
from tests.server import Serve

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLOSE = 0x88


async def test_connection_over_the_limit_is_refused_until_one_goes(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve("limits.connections=3")
    websocket, http, silent = [await connect_raw(server) for _ in range(3)]
    await websocket.upgrade()
    http.write(LIVE)
    assert (await http.response()).status == 200
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


# By address: no connection from elsewhere reaches a test, so these come through transports that say so.


@pytest.fixture
async def listener() -> Listener:
    """Two connections from one address are allowed, five in all."""
    limits = LimitsConfig(connections=5, connections_per_address=2)
    turns = Turns(asyncio.get_running_loop(), limits, Stats())
    return Listener(limits, [PROXY], Successor, lambda: b"HTTP/1.1 503 Service Unavailable\r\n\r\n", turns)


class Successor(asyncio.Protocol):
    """The HTTP side."""

    def __init__(self, incoming: IncomingConnection) -> None:
        self._incoming = incoming
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._incoming.gone()


def knock(listener: Listener, address: str) -> tuple[IncomingConnection, RecordingTransport]:
    """A connection from `address`."""
    incoming, transport = IncomingConnection(listener), RecordingTransport(address)
    incoming.connection_made(transport)
    return incoming, transport


def is_refused(transport: RecordingTransport) -> bool:
    return transport.ended and transport.written.startswith(b"HTTP/1.1 503 ")


async def test_address_over_its_limit_is_refused_and_others_are_not(listener: Listener) -> None:
    doors = [knock(listener, "203.0.113.7") for _ in range(2)]
    assert not any(is_refused(transport) for _, transport in doors)
    refused, transport = knock(listener, "203.0.113.7")
    assert is_refused(transport)
    other, transport = knock(listener, "203.0.113.8")
    assert not is_refused(transport)
    refused.connection_lost(None)  # was never counted
    assert listener.connections == 3
    for door in (doors[0][0], doors[1][0], other):
        door.gone()
    assert listener.connections == 0


async def test_address_mapped_into_ipv6_counts_as_its_ipv4(listener: Listener) -> None:
    first, _ = knock(listener, "203.0.113.7")
    second, _ = knock(listener, "::ffff:203.0.113.7")
    _refused, transport = knock(listener, "::ffff:203.0.113.7")
    assert is_refused(transport)
    assert second.address == "203.0.113.7"
    for door in (first, second):
        door.gone()


async def test_address_is_free_again_when_its_connections_are_gone(listener: Listener) -> None:
    for _ in range(3):
        doors = [knock(listener, "2001:db8::1%eth0") for _ in range(2)]
        assert is_refused(knock(listener, "2001:db8::1")[1])
        doors[0][1].protocol.connection_lost(None)
        doors[1][0].connection_lost(ConnectionResetError())
        assert listener.connections == 0


async def test_loopback_in_any_form_has_no_limit_of_its_own(listener: Listener) -> None:
    doors = [knock(listener, address) for address in ("127.0.0.1", "127.0.0.1", "127.0.0.1", "::1", "::ffff:127.0.0.1")]
    assert not any(is_refused(transport) for _, transport in doors)
    assert is_refused(knock(listener, "127.0.0.1")[1]), "the limit of all holds"
    for door, _ in doors:
        door.connection_lost(None)


async def test_one_network_of_ipv6_is_one_customer(listener: Listener) -> None:
    assert not any(is_refused(knock(listener, f"2001:db8:0:1::{number}")[1]) for number in (1, 2))
    assert is_refused(knock(listener, "2001:db8:0:1:ffff::3")[1])
    assert not is_refused(knock(listener, "2001:db8:0:2::1")[1])


async def test_refused_connections_that_stay_open_are_bounded(listener: Listener) -> None:
    doors = [knock(listener, "203.0.113.7") for _ in range(2 + MOST_LINGERING)][2:]
    assert not any(transport.gone for _, transport in doors)
    refused, transport = knock(listener, "203.0.113.7")
    assert transport.gone
    assert transport.written.startswith(b"HTTP/1.1 503 ")
    refused.connection_lost(None)
    doors[0][0].connection_lost(None)
    assert not knock(listener, "203.0.113.7")[1].gone
    await listener.drain(0)
    assert all(transport.gone for _, transport in doors[1:])


def knock_through_proxy(listener: Listener, header: bytes) -> tuple[IncomingConnection, RecordingTransport]:
    incoming, transport = knock(listener, PROXY)
    incoming.data_received(header)
    return incoming, transport


async def test_connections_of_a_proxy_are_counted_by_the_clients_that_it_names(listener: Listener) -> None:
    doors = [knock_through_proxy(listener, b"PROXY TCP4 203.0.113.7 192.0.2.2 1 2\r\n") for _ in range(2)]
    assert not any(is_refused(transport) for _, transport in doors)
    assert {incoming.address for incoming, _ in doors} == {"203.0.113.7"}
    assert is_refused(knock_through_proxy(listener, b"PROXY TCP4 203.0.113.7 192.0.2.2 1 2\r\n")[1])
    assert is_refused(knock(listener, "203.0.113.7")[1]), "it is the same client without the proxy"
    others = [knock_through_proxy(listener, b"GET / HTTP/1.1\r\n")[1] for _ in range(3)]
    assert not any(map(is_refused, others)), "the proxy itself has no limit but that of all"


async def test_client_of_an_http_proxy_is_counted_when_it_asks_for_a_socket(listener: Listener) -> None:
    doors = [knock_through_proxy(listener, b"GET /ws HTTP/1.1\r\n")[0] for _ in range(3)]
    assert [door.claim("203.0.113.7") for door in doors] == [True, True, False]
    assert [door.claim("203.0.113.7") for door in doors] == [True, True, False], "nobody is counted twice"
    doors[0].gone()
    assert doors[2].claim("203.0.113.7")
