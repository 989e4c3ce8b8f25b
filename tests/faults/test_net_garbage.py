"""Broken connections of every kind beside a pair that plays: it loses no note, and nothing is left of them."""

import asyncio
import random
from typing import Final

import pytest

from rhythm_protocol.binary import encode_midi
from rhythm_protocol.midi import MidiEvent
from tests.client import Client, Connect
from tests.metrics import metrics, until_connections
from tests.raw import ConnectRaw, RawClient, frame, open_raw, upgrade_request
from tests.server import Serve, ServerProcess, Spawn

BINARY: Final = 0x82
GARBAGE_CONNECTIONS: Final = 2_000
AT_ONCE: Final = 50
SEED: Final = 20_260


@pytest.fixture
async def server(spawn: Spawn) -> ServerProcess:
    return await spawn("limits.handshake_s=5", "server.log_level=WARNING")


@pytest.fixture
async def pair(server: ServerProcess, connect: Connect) -> tuple[Client, Client]:
    """A player and a listener in one room."""
    player, listener = await connect(server), await connect(server)
    await player.join("room")
    await listener.join("room")
    return player, listener


async def play_until(done: asyncio.Event, player: Client) -> int:
    """One release after the other, numbered by their offsets; how many."""
    count = 0
    while not done.is_set() or count == 0:
        await player.play([MidiEvent(count & 0xFFFF, 0x80, 60, 0)])
        count += 1
        await asyncio.sleep(0.002)
    return count


def garbage(dice: random.Random) -> bytes:
    """Bytes as they come, or a good beginning and then bytes as they come."""
    noise = dice.randbytes(dice.choice([0, 1, 2, 7, 30, 300, 3_000]))
    start = dice.choice(
        [
            b"", b"GET /ws", b"GET /ws?", b"GET / HTTP/1.1\r\n",
            b"POST /api/v1/rooms/active HTTP/1.1\r\nHost: x\r\n\r\n",
            upgrade_request()[:60], upgrade_request(), upgrade_request(), upgrade_request() + frame(BINARY, noise),
            upgrade_request() + frame(BINARY, b"\x10" + noise), upgrade_request() + frame(BINARY, b"\x01" + noise),
            upgrade_request(changes={"Sec-WebSocket-Protocol": None}) + frame(0x81, noise),
        ]
    )  # fmt: skip
    return start + noise


async def misbehave(server: ServerProcess, dice: random.Random) -> None:
    """One connection that sends garbage and ends somehow."""
    async with open_raw(server.port) as client:
        client.write(garbage(dice))
        await asyncio.sleep(dice.choice([0, 0, 0.001, 0.01]))
        match dice.randrange(4):
            case 0:
                client.reset()
            case 1:
                client.half_close()
            case _:
                pass


async def misbehave_often(server: ServerProcess) -> None:
    dice = random.Random(SEED)
    for _ in range(GARBAGE_CONNECTIONS // AT_ONCE):
        await asyncio.gather(*(misbehave(server, dice) for _ in range(AT_ONCE)))


async def test_garbage_beside_a_playing_pair_costs_it_no_note(
    server: ServerProcess, pair: tuple[Client, Client]
) -> None:
    player, listener = pair
    done = asyncio.Event()
    playing = asyncio.create_task(play_until(done, player))
    await misbehave_often(server)
    done.set()
    count = await playing
    heard = [event.offset_ms for _, event in await listener.events(count)]
    assert heard == [number & 0xFFFF for number in range(count)]
    await until_connections(server, 2)
    assert (await metrics(server))["rhythmd_sessions"] == 2
    assert "Traceback" not in server.log()


async def upgraded(client: RawClient) -> None:
    await client.upgrade()
    await client.frame()


@pytest.mark.parametrize("sent", [1, 2, 5, 6, 10, 50_000])
async def test_reset_in_a_frame_is_the_end_of_that_client_only(
    server: ServerProcess, pair: tuple[Client, Client], connect_raw: ConnectRaw, sent: int
) -> None:
    player, listener = pair
    client = await connect_raw(server)
    await upgraded(client)
    client.write(frame(BINARY, encode_midi(0, [MidiEvent(0, 0x80, 1, 0)] * 12_000))[:sent])
    await client.drain()
    client.reset()
    await until_connections(server, 2)
    await player.play([MidiEvent(1, 0x80, 60, 0)])
    assert len(await listener.events(1)) == 1
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "start", [b"", b"GET /ws HTTP/1.1\r\nHost", upgrade_request() + frame(BINARY, b"x" * 100)[:50]]
)
async def test_half_close_ends_the_connection(server: ServerProcess, connect_raw: ConnectRaw, start: bytes) -> None:
    client = await connect_raw(server)
    client.write(start)
    client.half_close()
    await client.rest()
    await until_connections(server, 0)
    assert "Traceback" not in server.log()


@pytest.mark.usefixtures("hasty_close")
async def test_half_open_client_is_closed_for_silence(serve: Serve, connect_raw: ConnectRaw) -> None:
    """A client whose machine is gone says nothing any more, not even FIN."""
    server = await serve("limits.ping_interval_s=0.2", "limits.silence_s=0.5")
    client = await connect_raw(server)
    await upgraded(client)
    client.write(frame(BINARY, b"x" * 100)[:50])
    client.stop_reading()
    await until_connections(server, 0)
    assert (await metrics(server))["rhythmd_closes_total:silent"] == 1
