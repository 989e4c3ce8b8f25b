"""Two people who play on whatever else happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from rhythm_protocol.midi import MidiEvent
from tests.client import Client

__all__ = ["duet"]

PAUSE_S: Final = 0.01  # fifty notes a second, half of what a lobby's quota allows


@contextlib.asynccontextmanager
async def duet(player: Client, listener: Client) -> AsyncIterator[None]:
    """Play while this is open. At the end each note was heard, once and in order. Both are in one room."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(_play_until(over, player))
        yield
        over.set()
    count = playing.result()
    heard = await listener.events(count)
    assert [event for _, event in heard] == [_event(number) for number in range(count)]


async def _play_until(over: asyncio.Event, player: Client) -> int:
    """Events played until it is over."""
    count = 0
    while not over.is_set() or count % 2:
        await player.play([_event(count)])
        count += 1
        await asyncio.sleep(PAUSE_S)
    return count


def _event(number: int) -> MidiEvent:
    """A key down, then up; the offset counts them."""
    down = number % 2 == 0
    return MidiEvent(number & 0xFFFF, 0x90 if down else 0x80, 60, 100 if down else 0)
