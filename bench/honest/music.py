"""What honest players play and say, when each of it is due, and what became of it at every listener."""

import asyncio
import struct
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from time import monotonic
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from bench.abuse.words import MASK, message
from bench.honest.people import Person
from bench.load.frames import whole_frames
from bench.load.sender import Sender
from rhythm_protocol.binary import OP_MIDI, encode_midi
from rhythm_protocol.midi import EVENT_SIZE, MidiEvent
from rhythm_protocol.websocket import BINARY, client_frame

__all__ = ["Heard", "Turn", "blocks_of", "notes", "perform", "saying"]

_HEAD: Final = 7
_BLOCK: Final = struct.Struct("<HBI")  # a block's head: slot, count, base time
_WRAP: Final = 1 << 32
_LEAD_S: Final = 0.2
_DRAIN_S: Final = 30.0
_LOOK_S: Final = 0.1


class Turn(NamedTuple):
    """Something that one of the people sends `due` seconds after the start.

    Args:
        due: seconds.
        person: their number in the programme.
        events: what is played; empty if something else is sent.
        frame: a message that is no music.
    """

    due: float
    person: int
    events: tuple[MidiEvent, ...] = ()
    frame: bytes = b""


def notes(due: float, person: int, events: Iterable[MidiEvent]) -> Turn:
    """A message with music."""
    return Turn(due, person, tuple(events))


def saying(due: float, person: int, type_: str, data: dict[str, Any]) -> Turn:
    """A control message of `rhythm.v1` that wants no answer."""
    return Turn(due, person, frame=message(type_, data))


_NONE: Final = np.zeros(0)


class Heard(Struct, frozen=True):
    """Events that were due at all listeners together, how many of them came, and how late (s) each message was.

    `lateness` is how late it was sent.
    """

    expected: int
    arrived: int
    delays: NDArray[np.float64]
    lateness: NDArray[np.float64] = _NONE

    @classmethod
    def of_all(cls, parts: Sequence["Heard"]) -> "Heard":
        """Several of them as one."""
        return cls(
            sum(part.expected for part in parts),
            sum(part.arrived for part in parts),
            np.concatenate([_NONE, *(part.delays for part in parts)]),
            np.concatenate([_NONE, *(part.lateness for part in parts)]),
        )


def blocks_of(person: Person) -> Iterator[tuple[float, int, int, bytes]]:
    """Moment, slot, base time (ms) and events of each block that came to somebody, in order."""
    for moment, data in person.reads:
        for opcode, start, stop in whole_frames(data):
            if opcode != BINARY or start == stop or data[start] != OP_MIDI:
                continue
            at = start + 1
            while at < stop:
                end = at + _HEAD + data[at + 2] * EVENT_SIZE
                slot, base = (
                    int.from_bytes(data[at : at + 2], "little"),
                    int.from_bytes(data[at + 3 : at + 7], "little"),
                )
                yield moment, slot, base, data[at + _HEAD : end]
                at = end


class _Sent(NamedTuple):
    """A message with music, by its base time: when it was due, and its events."""

    due: float
    events: int


_Book = dict[tuple[str | None, int, int], _Sent]
"""By room, slot and base time, which no two messages of a player share."""


def _frames(people: Sequence[Person], turns: Sequence[Turn], server_now_ms: float) -> tuple[list[bytes], _Book]:
    """The programme as frames. Base times count from `server_now_ms`: a server takes those that are seconds behind."""
    frames, book = [], _Book()
    for turn in turns:
        person = people[turn.person]
        frame = turn.frame
        if turn.events:
            base = int(server_now_ms + turn.due * 1e3) % _WRAP
            while (person.room, person.slot, base) in book:
                base = (base + 1) % _WRAP
            book[person.room, person.slot, base] = _Sent(turn.due, len(turn.events))
            frame = _music(person, base, turn.events)
        frames.append(frame)
    return frames, book


def _music(person: Person, base: int, events: Sequence[MidiEvent]) -> bytes:
    if person.is_binary:
        return client_frame(BINARY, encode_midi(base, events), MASK)
    return person.frame("midi-event", {"time": base, "events": [list(event) for event in events]})


def _heard_by(person: Person, book: _Book, start: float) -> Heard:
    """What came to one listener of what the others in the room played."""
    own = {key: sent for key, sent in book.items() if key[0] == person.room and key[1] != person.slot}
    delays, arrived = [], 0
    for moment, slot, base, events in blocks_of(person):
        sent = own.get((person.room, slot, base))
        if sent is not None:
            arrived += len(events) // EVENT_SIZE
            delays.append(moment - start - sent.due)
    return Heard(sum(sent.events for sent in own.values()), arrived, np.array(delays))


async def perform(people: Sequence[Person], turns: Iterable[Turn]) -> Heard:
    """Let everybody play and say what they want to, each at its time. What has not come 30 s later is lost."""
    programme = sorted(turns, key=attrgetter("due"))
    ahead = await people[0].server_clock_ahead()
    frames, book = _frames(people, programme, (monotonic() + ahead) * 1e3)
    for person in people:
        person.reads.clear()
    due = [turn.due for turn in programme]
    sender = Sender(due, [people[turn.person].write for turn in programme], frames)
    start = monotonic() + _LEAD_S
    await sender.play(start)
    deadline = monotonic() + _DRAIN_S
    heard = _heard_by_all(people, book, start)
    while heard.arrived < heard.expected and monotonic() < deadline:
        await asyncio.sleep(_LOOK_S)
        heard = _heard_by_all(people, book, start)
    return replace(heard, lateness=np.array(sender.sent) - start - np.array(due))


def _heard_by_all(people: Sequence[Person], book: _Book, start: float) -> Heard:
    return Heard.of_all([_heard_by(person, book, start) for person in people if person.is_binary])
