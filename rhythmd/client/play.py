"""Plays a score into a room, every event stamped with the moment of the server's clock at which it is due."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from rhythm_protocol.close import FLOODING
from rhythm_protocol.messages import LeaveRoom
from rhythm_protocol.midi import EVENT_SIZE, MAX_BLOCK_EVENTS, MidiEvent
from rhythmd.client.clock import local_us
from rhythmd.client.errors import ClientError, ConnectionEnded, PlayedTooMuch
from rhythmd.client.room import RoomAddress, check_place, enter_room
from rhythmd.client.score import ScoreEvent
from rhythmd.client.session import Interrupted, Session
from rhythmd.midi.state import ChannelMessage, HeldNotes

__all__ = ["Batch", "OnProgress", "Played", "batches", "play"]

LEAD_MS: Final = 100  # from joining to the start of the piece
FAREWELL_S: Final = 2.0  # for a farewell after an interrupt
HEAD_SIZE: Final = 5  # of a message: its opcode and base time
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
    """How it went.

    Attributes:
        notes: the note-ons sent.
        skipped: the note-ons that were due while there was no connection.
        refusals: how often the server refused some notes, by its error code.
    """

    notes: int
    skipped: int
    refusals: Counter[str]


def batches(score: Sequence[ScoreEvent], speed: float = 1.0, most: int = MAX_BLOCK_EVENTS) -> Iterator[Batch]:
    """The score, `speed` times as fast, in messages of at most `most` events.

    Times are rounded to the wire's milliseconds once.
    """
    batch = Batch(0, [])
    for due_s, message in score:
        due_ms = round(due_s * 1_000 / speed)
        if batch.events and (due_ms - batch.due_ms > SPREAD_MS or len(batch.events) == most):
            yield batch
            batch = Batch(due_ms, [])
        elif not batch.events:
            batch = Batch(due_ms, [])
        batch.events.append(MidiEvent(due_ms - batch.due_ms, *message))
    if batch.events:
        yield batch


async def play(address: RoomAddress, score: Sequence[ScoreEvent], speed: float, on_progress: OnProgress) -> Played:
    """Play `score` to its end. Cancelled, it releases what it holds and leaves the room first.

    A lost connection is resumed; what is due meanwhile is skipped.

    Raises:
        PlayedTooMuch: the server takes no more of so many events.
        ClientError: the room cannot be entered, or the connection or the place in the room is lost for good.
    """
    try:
        return await _play(address, score, speed, on_progress)
    except ConnectionEnded as end:
        if end.rule is FLOODING:
            raise PlayedTooMuch(FLOODING) from None
        raise


async def _play(address: RoomAddress, score: Sequence[ScoreEvent], speed: float, on_progress: OnProgress) -> Played:
    async with enter_room(address) as (session, _):
        performance = _Performance(session)
        try:
            await performance.perform(score, speed, on_progress)
            await performance.leave()
        except asyncio.CancelledError:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await performance.release()
                    await performance.leave()
            raise
        finally:
            performance.stop_hearing()
    return Played(performance.notes, performance.skipped, session.refusals)


class _Performance:
    """One piece in one session. Meanwhile a task hears what the room has to say."""

    def __init__(self, session: Session) -> None:
        self.notes = 0
        self.skipped = 0
        self._session = session
        self._most = min(MAX_BLOCK_EVENTS, (session.limits.message_bytes - HEAD_SIZE) // EVENT_SIZE)
        self._clock = session.clock
        self._start_ms = session.clock.now_ms() + LEAD_MS
        self._resumes = session.resumes
        self._held = HeldNotes()
        self._hearing = asyncio.create_task(_hear(session))

    async def perform(self, score: Sequence[ScoreEvent], speed: float, on_progress: OnProgress) -> None:
        for batch in batches(score, speed, self._most):
            await self._wait_until(batch.due_ms)
            if self._session.live:
                await self._send(batch)
            else:
                self.skipped += batch.notes
            self._hold(batch)
            on_progress(batch.due_ms * speed / 1_000, self.notes)

    async def release(self) -> None:
        """Let go of everything now, but behind what a message already sent may hold for the next ms."""
        await self._play(self._session.clock.now_ms() + SPREAD_MS, self._held.release())

    async def leave(self) -> None:
        """Leave the room. Its answer comes after the errors of all notes, which are counted until then.

        Raises ClientError when there is no room to leave any more.
        """
        self.stop_hearing()
        [end] = await asyncio.gather(self._hearing, return_exceptions=True)
        if isinstance(end, ClientError):
            raise end
        await self._session.ask("leave-room", LeaveRoom())

    def stop_hearing(self) -> None:
        self._hearing.cancel()

    async def _wait_until(self, due_ms: int) -> None:
        """Return when the piece is there; raise at once when the session ends before it."""
        due_us = self._clock.local_us(self._start_ms + due_ms)
        await asyncio.wait([self._hearing], timeout=max(0.0, (due_us - local_us()) / 1e6))
        if self._hearing.done():
            self._hearing.result()

    async def _send(self, batch: Batch) -> None:
        if self._session.resumes != self._resumes:
            await self._take_up(batch.due_ms)
        await self._session.play(self._start_ms + batch.due_ms, batch.events)
        self.notes += batch.notes

    async def _take_up(self, due_ms: int) -> None:
        """The server has let go of what we held. Pedals, programs and all else get to where the piece is now."""
        self._resumes = self._session.resumes
        if self._session.clock is not self._clock:
            start_us = self._clock.local_us(self._start_ms)
            self._clock = self._session.clock
            self._start_ms = self._clock.server_ms(start_us)
        settings = self._held.settings()
        self._held = HeldNotes(settings)
        await self._play(self._start_ms + due_ms, settings)

    async def _play(self, at_ms: int, messages: Sequence[ChannelMessage]) -> None:
        for at in range(0, len(messages), self._most):
            await self._session.play(at_ms, [MidiEvent(0, *message) for message in messages[at : at + self._most]])

    def _hold(self, batch: Batch) -> None:
        for event in batch.events:
            self._held.apply((event.status, event.data1, event.data2))


async def _hear(session: Session) -> None:
    """Take in what comes, until an error ends it."""
    while True:
        received = await session.receive()
        if not isinstance(received, list | Interrupted):
            check_place(received)
