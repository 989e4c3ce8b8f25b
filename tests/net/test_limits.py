"""How many may connect, and that everybody who goes is counted out."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from rhythmd.app import Server
from rhythmd.config import LimitsConfig
from rhythmd.net.connection import Wiring
from rhythmd.net.heartbeat import Heartbeat
from rhythmd.net.listener import IncomingConnection, Listener
from rhythmd.telemetry import Stats
from tests.metrics import connections, until_connections
from tests.net.recording import Nobody, RecordingReceiver, RecordingTransport, Session
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


# By address: no connection from elsewhere reaches a test, so these come through transports that say so.


@pytest.fixture
async def listener() -> Listener[Session]:
    """Two connections from one address are allowed, five in all."""
    loop = asyncio.get_running_loop()
    limits = LimitsConfig(connections=5, connections_per_address=2)
    heartbeat = Heartbeat(loop, 20.0, 40.0)
    wiring: Wiring[Session] = Wiring(loop, limits, RecordingReceiver(), Nobody(), (), Stats(), heartbeat)
    return Listener(wiring, lambda on_gone: asyncio.Protocol())


def knock(listener: Listener[Session], address: str) -> tuple[IncomingConnection[Session], RecordingTransport]:
    """A connection from `address`."""
    incoming, transport = IncomingConnection(listener), RecordingTransport(address)
    incoming.connection_made(transport)
    return incoming, transport


def is_refused(transport: RecordingTransport) -> bool:
    return transport.gone and transport.written.startswith(b"HTTP/1.1 503 ")


async def test_address_over_its_limit_is_refused_and_others_are_not(listener: Listener[Session]) -> None:
    doors = [knock(listener, "203.0.113.7") for _ in range(2)]
    assert not any(is_refused(transport) for _, transport in doors)
    refused, transport = knock(listener, "203.0.113.7")
    assert is_refused(transport)
    other, transport = knock(listener, "203.0.113.8")
    assert not is_refused(transport)
    refused.connection_lost(None)  # was never counted
    assert listener.connections == 3
    for door in (doors[0][0], doors[1][0], other):
        door.connection_lost(None)
    assert listener.connections == 0


async def test_address_mapped_into_ipv6_counts_as_its_ipv4(listener: Listener[Session]) -> None:
    first, _ = knock(listener, "203.0.113.7")
    second, _ = knock(listener, "::ffff:203.0.113.7")
    _refused, transport = knock(listener, "::ffff:203.0.113.7")
    assert is_refused(transport)
    assert second.address == "203.0.113.7"
    for door in (first, second):
        door.connection_lost(None)


async def test_address_is_free_again_when_its_connections_are_gone(listener: Listener[Session]) -> None:
    for _ in range(3):
        doors = [knock(listener, "2001:db8::1%eth0") for _ in range(2)]
        assert is_refused(knock(listener, "2001:db8::1")[1])
        doors[0][0].data_received(upgrade_request())
        doors[0][1].protocol.connection_lost(None)
        doors[1][0].connection_lost(ConnectionResetError())
        assert listener.connections == 0


async def test_loopback_in_any_form_has_no_limit_of_its_own(listener: Listener[Session]) -> None:
    doors = [knock(listener, address) for address in ("127.0.0.1", "127.0.0.1", "127.0.0.1", "::1", "::ffff:127.0.0.1")]
    assert not any(is_refused(transport) for _, transport in doors)
    assert is_refused(knock(listener, "127.0.0.1")[1]), "the limit of all holds"
    for door, _ in doors:
        door.connection_lost(None)
