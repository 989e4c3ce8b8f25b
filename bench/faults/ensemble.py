"""Players of a score and a listener, as real clients of one room, and when the listener heard each note."""

import asyncio
from asyncio import Task, TaskGroup
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple

from bench.score import ScoreEvent
from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.clock import unwrap_ms
from rhythm_protocol.messages import JoinAck, Playout, RoomUpdated, Timing
from rhythm_protocol.midi import NOTE_OFF, NOTE_ON, MidiEvent
from rhythm_protocol.playout import LatenessMeter
from rhythmd.client.clock import local_us
from rhythmd.client.room import RoomAddress, enter_room
from rhythmd.client.session import Session

__all__ = ["Heard", "Performance", "perform_score"]

_TIMING_S: Final = 2.0
_TUNING_KEY: Final = 0
_TUNING_S: Final = 6.0  # the room's delay has been measured by then
_TUNING_STEP_S: Final = 0.25
_PATIENCE_S: Final = 20.0
_POLL_S: Final = 0.05
_ROOM: Final = "ensemble"


class Heard(NamedTuple):
    """One press, in seconds from the start of the piece.

    Attributes:
        due: by the score.
        arrived: when it reached the listener.
        sounded: when it sounds there: at its time plus the room's playout delay, or on arrival if that is later.
        delay: the room's playout delay then.
    """

    due: float
    arrived: float
    sounded: float
    delay: float


class Performance(NamedTuple):
    """What the listener heard, in the order of the score; how many presses that has; the delays in force (ms)."""

    heard: list[Heard]
    presses: int
    delays_ms: list[int]


class _Arrival(NamedTuple):
    at_us: float
    sounded_us: float
    delay_ms: int


class _Member:
    """Somebody in the room, who reports how late the others' notes come in."""

    def __init__(self, session: Session, ack: JoinAck) -> None:
        self.session = session
        self.slot = ack.slot
        self.delays_ms = [ack.room.playout_ms]
        self.presses: defaultdict[int, list[_Arrival]] = defaultdict(list)
        self._lateness = LatenessMeter()

    async def listen(self) -> None:
        """Take in what comes, until cancelled."""
        while True:
            match await self.session.receive():
                case list() as blocks:
                    self._hear(blocks)
                case Playout(delay_ms=delay_ms):
                    self.delays_ms.append(delay_ms)
                case RoomUpdated(room=room):
                    self.delays_ms.append(room.playout_ms)
                case _:
                    pass

    async def report(self) -> None:
        """Tell the server how late notes come in, until cancelled."""
        while True:
            await asyncio.sleep(_TIMING_S)
            late_ms = self._lateness.report(self.session.clock.now_ms())
            if late_ms is not None:
                await self.session.tell("timing", Timing(late_ms))

    async def play(self, part: Sequence[ScoreEvent], start_us: float) -> None:
        """Play the part, which begins when this computer's clock shows `start_us`."""
        for event in part:
            due_us = start_us + event.due * 1e6
            await asyncio.sleep(max(0.0, due_us - local_us()) / 1e6)
            status = NOTE_ON if event.is_press else NOTE_OFF
            await self.session.play(self.session.clock.server_ms(due_us), [MidiEvent(0, status, event.key, 100)])

    def _hear(self, blocks: list[MidiBlock]) -> None:
        clock, now_us, delay_ms = self.session.clock, local_us(), self.delays_ms[-1]
        now_ms = clock.server_ms(now_us)
        for slot, wire_ms, events in blocks:
            at_ms = unwrap_ms(wire_ms, now_ms)
            due_us = clock.local_us(at_ms + delay_ms)
            for event in events:
                if event.is_note_on:
                    self._lateness.add(now_ms - at_ms, now_ms)
                    if event.data1 != _TUNING_KEY:
                        self.presses[slot].append(_Arrival(now_us, max(now_us, due_us), delay_ms))


@asynccontextmanager
async def _members(urls: Sequence[str]) -> AsyncIterator[list[_Member]]:
    """One for each address, listening and reporting as long as the block lasts."""
    async with AsyncExitStack() as stack, TaskGroup() as tasks:
        members = [
            _Member(*await stack.enter_async_context(enter_room(RoomAddress(url, _ROOM, name=f"member {number}"))))
            for number, url in enumerate(urls)
        ]
        duties: list[Task[None]] = []
        for member in members:
            duties += tasks.create_task(member.listen()), tasks.create_task(member.report())
        yield members
        for duty in duties:
            duty.cancel()


async def perform_score(parts: Sequence[Sequence[ScoreEvent]], urls: Sequence[str]) -> Performance:
    """Play each part as a client of its own; the last of `urls` is the listener's, the others are the players'.

    Before the piece everybody plays a few notes that nobody counts, from which the room learns its playout delay.

    Raises:
        ClientError: a connection could not be made, or was lost for good.
    """
    async with _members(urls) as [*players, listener]:
        await _together(players, [_tuning()] * len(players))
        listener.delays_ms = listener.delays_ms[-1:]
        start_us = await _together(players, parts)
        presses = [[event.due for event in part if event.is_press] for part in parts]
        await _until_heard(listener, sum(map(len, presses)))
        heard = [
            _heard(due, arrival, start_us)
            for player, dues in zip(players, presses, strict=True)
            for due, arrival in zip(dues, listener.presses[player.slot], strict=False)
        ]
        return Performance(sorted(heard), sum(map(len, presses)), listener.delays_ms)


def _heard(due: float, arrival: _Arrival, start_us: float) -> Heard:
    arrived, sounded = (arrival.at_us - start_us) / 1e6, (arrival.sounded_us - start_us) / 1e6
    return Heard(due, arrived, sounded, arrival.delay_ms / 1e3)


async def _together(players: Sequence[_Member], parts: Sequence[Sequence[ScoreEvent]]) -> float:
    """Play the parts; when they began (us of this computer's clock)."""
    start_us = local_us() + 500_000
    await asyncio.gather(*(player.play(part, start_us) for player, part in zip(players, parts, strict=True)))
    return start_us


def _tuning() -> list[ScoreEvent]:
    count = int(_TUNING_S / _TUNING_STEP_S)
    return [ScoreEvent(step * _TUNING_STEP_S, 0, _TUNING_KEY, is_press=step % 2 == 0) for step in range(count)]


async def _until_heard(listener: _Member, presses: int) -> None:
    """Until all have come, or nobody can believe any more that they will."""
    for _ in range(int(_PATIENCE_S / _POLL_S)):
        if sum(map(len, listener.presses.values())) == presses:
            return
        await asyncio.sleep(_POLL_S)
