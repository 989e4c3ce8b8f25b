"""Listeners that do not read while a room is full of music or talk: what they cost the server has a bound."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from random import Random
from typing import Final

import pytest

from bench.faults.proxy import open_proxy
from rhythm_protocol.midi import MidiEvent
from tests.client import Client, Connect, open_client
from tests.server import ServerProcess, Spawn

LISTENERS: Final = 10
WRITE_BUFFER: Final = 65_536
SETTINGS: Final = (
    f"limits.write_buffer_bytes={WRITE_BUFFER}",
    "limits.messages_per_s=1000000",
    "limits.messages_burst=1000000",
    "quota.other_events=1000000000",
    "limits.frames_per_s=1000000",
    "limits.bytes_per_s=1000000000",
    "hub.room_deliveries_per_s=1000000000",
)
FLOOD_BYTES: Final = 10_000_000  # even if the listeners shared every byte of it
BOUND: Final = LISTENERS * 2 * WRITE_BUFFER + 3_000_000
RECEIVE_BUFFER: Final = 4_096  # the kernel's towards the server, so that it does not take it all
ROOM: Final = "Salon"
AT_ONCE: Final = 20


async def play(player: Client) -> int:
    """Some music: releases, which no quota charges. How many bytes it is for a listener."""
    await player.play([MidiEvent(0, 0x80, 60, 0)] * 1_000)
    return 5_000


async def talk(player: Client) -> int:
    """Some lines. How many bytes they are for a listener."""
    for _ in range(AT_ONCE):
        await player.send("chat-message", {"content": "x" * 500})
    return AT_ONCE * 500


async def flood(server: ServerProcess, player: Client, act: Callable[[Client], Awaitable[int]]) -> int:
    """The server's resident memory at its highest meanwhile, bytes."""
    highest = sent = 0
    while sent < FLOOD_BYTES:
        sent += await act(player)
        await player.received()
        highest = max(highest, server.resident_bytes)
    return highest


@pytest.mark.parametrize("act", [play, talk])
async def test_stalled_listeners_cost_no_more_than_their_buffers(
    act: Callable[[Client], Awaitable[int]], spawn: Spawn, connect: Connect
) -> None:
    server = await spawn(*SETTINGS)
    player = await connect(server)
    await player.join(ROOM)
    async with AsyncExitStack() as stack, open_proxy(server.port, Random(1), RECEIVE_BUFFER) as proxy:
        for _ in range(LISTENERS):
            listener = await stack.enter_async_context(open_client(proxy.port))
            await listener.join(ROOM)
        await act(player)
        before = server.resident_bytes
        proxy.stall()
        assert await flood(server, player, act) - before < BOUND
