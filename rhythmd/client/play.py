"""Plays a score into a room, every event stamped with the moment of the server's clock at which it is due."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rhythm_protocol.messages import LeaveRoom
from rhythm_protocol.midi import MAX_BLOCK_EVENTS, MidiEvent
from rhythmd.client.connection import Connection, local_us
from rhythmd.client.errors import ClientError
from rhythmd.client.held import HeldNotes
from rhythmd.client.room import RoomAddress, enter_room
from rhythmd.client.score import ScoreEvent

__all__ = ["Batch", "OnProgress", "Played", "batches", "play"]

LEAD_MS: Final = 100  # from joining to the start of the piece
SPREAD_MS: Final = 3  # events that are due within so many ms share a message

OnProgress = Callable[[float, int], None]
"""Called after each message with the position in the piece (s) and the notes sent so far."""


class Batch(NamedTuple):
    """Events for one message. `due_ms` counts from the start of the piece, the events' offsets from `due_ms`."""

    due_ms: int
    events: list[MidiEvent]

    @property
    def notes(self) -> int:
        return sum(event.is_note_on for event in self.events)


@dataclass(frozen=True, slots=True)
class Played:
    """How it went: the note-ons sent, and how often the server refused some of them, by its error code."""

    notes: int
    refusals: Counter[str]


def batches(score: Sequence[ScoreEvent], speed: float = 1.0) -> Iterator[Batch]:
    """The score, `speed` times as fast, in messages. Times are rounded to the wire's milliseconds once."""
    batch = Batch(0, [])
    for due_s, message in score:
        due_ms = round(due_s * 1_000 / speed)
        if batch.events and (due_ms - batch.due_ms > SPREAD_MS or len(batch.events) == MAX_BLOCK_EVENTS):
            yield batch
            batch = Batch(due_ms, [])
        elif not batch.events:
            batch = Batch(due_ms, [])
        batch.events.append(MidiEvent(due_ms - batch.due_ms, *message))
    if batch.events:
        yield batch


async def play(address: RoomAddress, score: Sequence[ScoreEvent], speed: float, on_progress: OnProgress) -> Played:
    """Play `score` to its end. Cancelled, it releases what it holds and leaves the room first.

    Raises:
        ClientError: the room cannot be entered, or the connection or the place in the room was lost.
    """
    async with enter_room(address) as (connection, _):
        performance = _Performance(connection)
        try:
            await performance.perform(score, speed, on_progress)
        except asyncio.CancelledError:
            await performance.release()
            raise
        finally:
            await performance.leave()
    return Played(performance.notes, connection.refusals)


class _Performance:
    """One piece on one connection. Meanwhile a task hears what the room has to say."""

    def __init__(self, connection: Connection) -> None:
        self.notes = 0
        self._connection = connection
        self._held = HeldNotes()
        self._hearing = asyncio.create_task(_hear(connection))

    async def perform(self, score: Sequence[ScoreEvent], speed: float, on_progress: OnProgress) -> None:
        start_ms = self._connection.server_ms() + LEAD_MS
        for batch in batches(score, speed):
            await self._wait_until(start_ms + batch.due_ms)
            await self._send(start_ms, batch)
            on_progress(batch.due_ms * speed / 1_000, self.notes)

    async def release(self) -> None:
        """Let go of everything now, but behind what a message already sent may hold for the next ms."""
        events = [MidiEvent(SPREAD_MS, *message) for message in self._held.release()]
        if events:
            await self._connection.play(self._connection.server_ms(), events)

    async def leave(self) -> None:
        """Leave the room. Its answer comes after the errors of all notes, which are counted until then.

        Raises ClientError when there is no room to leave any more.
        """
        self._hearing.cancel()
        [end] = await asyncio.gather(self._hearing, return_exceptions=True)
        if isinstance(end, ClientError):
            raise end
        await self._connection.ask("leave-room", LeaveRoom())

    async def _wait_until(self, server_ms: int) -> None:
        """Return at `server_ms` of the server's clock; raise at once when the connection ends before it."""
        due_us = self._connection.clock.local_us(server_ms * 1_000)
        await asyncio.wait([self._hearing], timeout=max(0.0, (due_us - local_us()) / 1e6))
        if self._hearing.done():
            self._hearing.result()

    async def _send(self, start_ms: int, batch: Batch) -> None:
        for event in batch.events:
            self._held.apply((event.status, event.data1, event.data2))
        await self._connection.play(start_ms + batch.due_ms, batch.events)
        self.notes += batch.notes


async def _hear(connection: Connection) -> None:
    """Take in what comes, which keeps the clock and counts the refusals, until an error ends it."""
    while True:
        await connection.receive()
