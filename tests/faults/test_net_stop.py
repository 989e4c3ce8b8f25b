"""SIGTERM and SIGINT: members told, code 1012, out within the time that is promised."""

import asyncio
import signal
import time
from typing import Final

import pytest

from rhythm_protocol.messages import Stopping
from rhythm_protocol.midi import MidiEvent
from tests.client import Client, Connect
from tests.raw import ConnectRaw, frame, upgrade_request
from tests.server import ServerProcess, Spawn

CLOSE: Final = 0x88
STOP_S: Final = 10.0  # promised
LIVE: Final = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
CROWD: Final = 60


async def assert_told_and_closed(client: Client) -> None:
    closed = await client.closed()
    assert (closed.code, closed.reason) == (1012, "restarting")
    assert (await client.expect(Stopping)).reconnect_after_ms > 0


async def assert_stops(server: ServerProcess, number: signal.Signals) -> None:
    began = time.monotonic()
    server.signal(number)
    assert await server.wait() == 0
    assert time.monotonic() - began < STOP_S
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stop_tells_players_and_closes_with_1012(spawn: Spawn, connect: Connect, number: signal.Signals) -> None:
    server = await spawn()
    players = [await connect(server) for _ in range(3)]
    for player in players:
        await player.join("room")
    roomless = await connect(server)
    stopping = asyncio.create_task(assert_stops(server, number))
    for client in (*players, roomless):
        await assert_told_and_closed(client)
    await stopping


async def test_stop_writes_what_was_played_first(spawn: Spawn, connect: Connect) -> None:
    server = await spawn()
    player, listener = await connect(server), await connect(server)
    await player.join("room")
    await listener.join("room")
    for number in range(50):
        await player.play([MidiEvent(number, 0x80, 60, 0)])
    await player.clock()
    server.signal(signal.SIGTERM)
    assert [event.offset_ms for _, event in await listener.events(50)] == list(range(50))
    await assert_told_and_closed(listener)
    assert await server.wait() == 0


async def test_stop_waits_for_nobody_for_long(spawn: Spawn, connect: Connect, connect_raw: ConnectRaw) -> None:
    """Idle HTTP, handshakes that are not complete and a client that never answers the close."""
    server = await spawn("server.stop_s=1")
    player = await connect(server)
    await player.join("room")
    idle, silent, half, deaf = [await connect_raw(server) for _ in range(4)]
    idle.write(LIVE)
    assert (await idle.response()).status == 200
    silent.write(b"GET /w")
    half.write(upgrade_request()[:40])
    await deaf.upgrade()
    deaf.stop_reading()
    stopping = asyncio.create_task(assert_stops(server, signal.SIGTERM))
    await assert_told_and_closed(player)
    await stopping


async def test_stop_refuses_new_connections_while_it_waits(spawn: Spawn, connect_raw: ConnectRaw) -> None:
    server = await spawn()
    late = await connect_raw(server)
    await late.upgrade()
    server.signal(signal.SIGTERM)
    assert await late.close_code() == 1012
    with pytest.raises(ConnectionRefusedError):
        await connect_raw(server)
    late.write(frame(CLOSE, b"\x03\xf4"))
    await late.close()
    assert await server.wait() == 0


async def test_stop_of_a_full_room_is_as_quick(spawn: Spawn, connect: Connect) -> None:
    """Everybody leaves at once."""
    server = await spawn(f"rooms.max_players={CROWD}")
    members = [await connect(server) for _ in range(CROWD)]
    for member in members:
        await member.join("room", settings={"max_players": CROWD})
    stopping = asyncio.create_task(assert_stops(server, signal.SIGTERM))
    for member in members:
        assert (await member.closed()).code == 1012
    await stopping
