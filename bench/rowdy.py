"""Clients that do everything wrong: each act is one connection from its opening to its end.

An act returns when it is over, whatever the server did about it; it never raises for what the server does.
"""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter, TaskGroup
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from time import monotonic
from typing import Final

from bench.load.client import Client, Refused, upgrade_request
from bench.servers import Running
from rhythm_protocol.binary import encode_midi
from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythm_protocol.messages import RoomSettings
from rhythm_protocol.midi import MAX_BLOCK_EVENTS, NOTE_OFF, MidiEvent
from rhythm_protocol.websocket import BINARY, client_frame

__all__ = ["ACTS", "misbehave"]

Act = Callable[[Running, Random], Awaitable[None]]

_NOISE: Final = "bench-noise"
_NOISE_ROOM: Final = RoomSettings(max_players=50, allow_black_midi=True)
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_OPCODES: Final = (0x01, 0x02, 0x03, 0x10, 0x7F)
_FLOOD: Final = encode_midi(0, [MidiEvent(0, NOTE_OFF, 60)] * MAX_BLOCK_EVENTS)
_FLOOD_FRAMES: Final = [client_frame(BINARY, _FLOOD)] * 4
_BETWEEN_FLOODS_S: Final = 0.05  # 20,000 events/s: just what a player may send where black MIDI is allowed
_SMALL_BUFFER: Final = 4_096
_PATIENCE_S: Final = 0.5
_BETWEEN_S: Final = 0.02


@asynccontextmanager
async def _raw(server: Running) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """A bare TCP connection."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def _client(server: Running) -> AsyncIterator[Client]:
    """A connection after its handshake."""
    client = await Client.connect_rhythmd(server.host, server.port)
    try:
        yield client
    finally:
        client.close()


async def _read_for(reader: StreamReader, seconds: float) -> None:
    """Read until the server ends the connection, `seconds` at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await reader.read(65_536):
                pass


async def random_bytes(server: Running, random: Random) -> None:
    """Not even HTTP."""
    async with _raw(server) as (reader, writer):
        writer.write(random.randbytes(random.randint(1, 4_096)))
        await _read_for(reader, _PATIENCE_S)


async def half_handshake(server: Running, random: Random) -> None:
    """A handshake that stops in the middle and is left open: the server has to end it."""
    request = upgrade_request(server.host, "/ws", SUBPROTOCOL_BINARY)
    async with _raw(server) as (reader, writer):
        writer.write(request[: random.randint(1, len(request) - 1)])
        await _read_for(reader, 15.0)


async def random_frames(server: Running, random: Random) -> None:
    """A good handshake, then bytes that are no frames."""
    async with _client(server) as client:
        client.transport.write(random.randbytes(random.randint(1, 4_096)))
        await asyncio.sleep(random.random() * _PATIENCE_S)


async def random_messages(server: Running, random: Random) -> None:
    """Good frames whose messages are noise behind a known opcode; more of them than the limits allow."""
    async with _client(server) as client:
        for _ in range(random.randint(1, 500)):
            payload = bytes((random.choice(_OPCODES),)) + random.randbytes(random.randint(0, 200))
            client.transport.write(client_frame(random.randint(0, 15), payload, random.randbytes(4)))
        await asyncio.sleep(random.random() * _PATIENCE_S)


async def reset_inside_frame(server: Running, random: Random) -> None:
    """Half a frame, then a TCP reset."""
    async with _client(server) as client:
        frame = client_frame(BINARY, random.randbytes(1_000), random.randbytes(4))
        client.transport.write(frame[: random.randint(1, len(frame) - 1)])
        await asyncio.sleep(random.random() * _PATIENCE_S)
        connection = client.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        client.transport.abort()


async def slow_reader(server: Running, random: Random) -> None:
    """A listener of the flooded room that stops reading."""
    async with _client(server) as client:
        connection = client.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        await client.join(_NOISE, _NOISE_ROOM)
        client.transport.pause_reading()
        await asyncio.sleep(5.0 + 10.0 * random.random())


async def flooder(server: Running, random: Random) -> None:
    """Fills the room of the slow readers: note-offs are free of the quota and always pass."""
    async with _client(server) as client:
        await client.join(_NOISE, _NOISE_ROOM)
        deadline = monotonic() + 5.0 + 10.0 * random.random()
        while monotonic() < deadline and not client.lost:
            client.transport.writelines(_FLOOD_FRAMES)
            client.reads.clear()
            await asyncio.sleep(_BETWEEN_FLOODS_S)


ACTS: Final[dict[str, tuple[Act, int]]] = {
    "random bytes": (random_bytes, 2),
    "half a handshake, left open": (half_handshake, 20),
    "random bytes as frames": (random_frames, 2),
    "random messages": (random_messages, 2),
    "reset inside a frame": (reset_inside_frame, 2),
    "slow reader": (slow_reader, 8),
    "flooding player": (flooder, 4),
}
"""Each act, and how many of it go on at once."""


async def _repeat(name: str, act: Act, server: Running, random: Random, deadline: float, done: Counter[str]) -> None:
    while monotonic() < deadline:
        with suppress(OSError, Refused, TimeoutError):
            await act(server, random)
        done[name] += 1
        await asyncio.sleep(_BETWEEN_S)


async def misbehave(server: Running, seconds: float, seed: int = 1) -> Counter[str]:
    """Do all acts side by side for `seconds`, and let those end that have begun; how often each was done."""
    done: Counter[str] = Counter()
    deadline = monotonic() + seconds
    async with TaskGroup() as tasks:
        for name, (act, times) in ACTS.items():
            for number in range(times):
                random = Random(f"{seed} {name} {number}")
                tasks.create_task(_repeat(name, act, server, random, deadline, done))
    return done
