"""From tapes to a Standard MIDI File. It computes for a while: run it in a thread."""

import time
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, pairwise
from struct import Struct
from typing import Final, NamedTuple, TypeVar

from rhythm_protocol.midi import CONTROL_CHANGE, EVENT_SIZE, NOTE_ON, PROGRAM_CHANGE
from rhythmd.hub.rooms.tape import Seat, Tape
from rhythmd.midi import file as smf
from rhythmd.midi.state import FIRST_MODE_MESSAGE, NoteState, unpacked
from rhythmd.midi.tempo import tempo_map

__all__ = ["Transcript", "transcribe"]

T = TypeVar("T")

_HEAD: Final = Struct("<HBI")  # of a block: slot, number of events, base time
_EVENT: Final = Struct("<HBBB")  # offset from the base time, status, data 1, data 2
HALF: Final = 1 << 31
WRAP: Final = (1 << 32) - 1

RUN: Final = 4_096
REST_EVERY: Final = 256
REST_S: Final = 0.0001


class Transcript(NamedTuple):
    """A finished file. `players` is the number of its tracks that have music, which may be pedals without a note."""

    file: bytes
    duration_ms: int
    players: int
    has_notes: bool


def transcribe(title: str, tapes: Sequence[Tape], since_ms: int, until_ms: int) -> Transcript:
    """The music on `tapes`, a track for each user who played, each event at its player's own time.

    What is held at the beginning sounds from the beginning on, what is held at the end is released. Silence before the
    first note is left out, but for the rest of a beat where the metronome runs. Its tempo and metre are the file's.

    Args:
        title: of the piece.
        tapes: each goes on where the one before ended.
        since_ms: what is due before is left out.
        until_ms: when the last tape ended. Both on the server's clock.
    """
    parts = [part for part in _parts(tapes, since_ms) if part.has_music]
    origin_ms = _origin_ms(parts, max(since_ms, tapes[0].began_ms))
    has_notes = any(part.has_notes for part in parts)
    tracks = [part.finish(origin_ms, until_ms) for part in parts]
    named = ((part.name, _with_rests(events)) for part, (events, _) in zip(parts, tracks, strict=True))
    end_ms = max((end_ms for _, end_ms in tracks), default=origin_ms)
    tempos = tempo_map((mark for tape in tapes for mark in tape.time), origin_ms, end_ms)
    begins_ms = min(origin_ms, round(tempos[0].at_us / 1_000)) if tempos else origin_ms
    return Transcript(smf.encode(title, named, origin_ms, tempos), end_ms - begins_ms, len(parts), has_notes)


def _with_rests(items: Iterable[T], few: int = REST_EVERY) -> Iterator[T]:
    """The same items, the thread asleep for a moment after every `few`.

    A thread that only computes keeps the event loop waiting: at each of its turns, for CPython's switch interval of
    5 ms.
    """
    for number, item in enumerate(items):
        if not number % few:
            time.sleep(REST_S)
        yield item


def _parts(tapes: Sequence[Tape], since_ms: int) -> list["_Part"]:
    """What each user, and each sheet, held and played; those who came first are first."""
    parts: dict[tuple[str | None, str], _Part] = {}
    for tape in tapes:
        for seat in tape.seats:
            if seat.part not in parts:
                parts[seat.part] = _Part(seat, since_ms)
        for seat, base_ms, events in _with_rests(_blocks(tape)):
            parts[seat.part].play(base_ms, events)
    return list(parts.values())


def _blocks(tape: Tape) -> Iterator[tuple[Seat, int, bytes]]:
    """Each block's player, base time on the server's clock, and events."""
    seated: dict[int, Seat] = {}
    coming = deque(tape.seats)
    begin = 0
    for part in tape.parts():
        at = 0
        while at < len(part):
            while coming and coming[0].at <= begin + at:
                seat = coming.popleft()
                seated[seat.slot] = seat
            slot, count, base = _HEAD.unpack_from(part, at)
            start = at + _HEAD.size
            at = start + count * EVENT_SIZE
            yield seated[slot], _near(tape.began_ms, base), bytes(part[start:at])
        begin += len(part)


def _near(ms: int, wrapped: int) -> int:
    """The moment nearest to `ms` that is `wrapped` modulo 2^32."""
    return ms + ((wrapped - ms + HALF) & WRAP) - HALF


def _origin_ms(parts: Sequence["_Part"], begins_ms: int) -> int:
    """When the piece begins: with the first event, or at once if something sounds at the beginning.

    An event may be due before the beginning and have come after it.
    """
    times = [part.begins_ms for part in parts if part.begins_ms is not None]
    if any(part.sounds_at_once for part in parts):
        times.append(begins_ms)
    return min(times, default=begins_ms)


class _Part:
    """One user's track in the making."""

    def __init__(self, seat: Seat, since_ms: int) -> None:
        self.name = seat.name
        self._since_ms = since_ms
        self._opening = NoteState()
        self._closing = NoteState()
        self._order = _Order()
        # Each is due time << 24 | message: a long recording's tuples would take ten times the memory.
        self._events = array("q")
        self._span: tuple[int, int] | None = None  # when the first one is due, and the last one
        held = b"".join(_EVENT.pack(0, *message) for message in unpacked(seat.held))
        for state in (self._opening, self._closing):
            state.apply(held, 0)

    def play(self, base_ms: int, events: bytes) -> None:
        self._closing.apply(events, 0)
        for offset, status, data1, data2 in _EVENT.iter_unpack(events):
            at_ms = self._order.due(base_ms + offset, status, data1)
            if at_ms < self._since_ms:
                self._opening.apply(_EVENT.pack(offset, status, data1, data2), 0)
            else:
                self._events.append(at_ms << 24 | status << 16 | data1 << 8 | data2)
                begins_ms, ends_ms = self._span or (at_ms, at_ms)
                self._span = min(begins_ms, at_ms), max(ends_ms, at_ms)

    @property
    def begins_ms(self) -> int | None:
        """When the first event is due; None if there is none."""
        return None if self._span is None else self._span[0]

    @property
    def sounds_at_once(self) -> bool:
        """Whether a key is down at the beginning."""
        return any(status & 0xF0 == NOTE_ON for status, _, _ in self._opening.snapshot())

    @property
    def has_music(self) -> bool:
        return bool(self._events) or self.sounds_at_once

    @property
    def has_notes(self) -> bool:
        return self.sounds_at_once or any(_is_note_on(event) for event in _with_rests(self._events))

    def finish(self, origin_ms: int, until_ms: int) -> tuple[Iterator[smf.Event], int]:
        """The whole track in order, from the state at the beginning to the release at the end; and when it ends."""
        opening = [(origin_ms, message) for message in self._opening.snapshot()]
        last_ms = origin_ms if self._span is None else self._span[1]
        release = self._closing.release()
        end_ms = max(until_ms, last_ms) if release else last_ms
        return chain(opening, map(_event, _in_order(self._events)), ((end_ms, message) for message in release)), end_ms


def _in_order(events: "array[int]") -> Iterator[int]:
    """The events by when they are due; those of one moment as they are.

    They are sorted in short runs, with rests between them: one long sort would hold the interpreter all the while.
    """
    runs = [
        array("q", sorted(events[start : start + RUN], key=_due_ms))
        for start in _with_rests(range(0, len(events), RUN), 1)
    ]
    if all(_due_ms(before[-1]) <= _due_ms(after[0]) for before, after in pairwise(runs)):
        return chain.from_iterable(runs)
    return merge(*runs, key=_due_ms)


def _is_note_on(event: int) -> bool:
    return event >> 16 & 0xF0 == NOTE_ON and event & 0xFF > 0


def _due_ms(event: int) -> int:
    return event >> 24


def _event(event: int) -> smf.Event:
    return event >> 24, (event >> 16 & 0xFF, event >> 8 & 0xFF, event & 0xFF)


class _Order:
    """Sees to it that no message overtakes an earlier one about the same key or controller.

    A player's own times may be in any order. But what came last is what counted in the room: a note that was released
    there must not go on in the file because it was due later than its release.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[int, int], int] = {}
        self._latest = [0] * 16  # by channel
        self._silenced = [0] * 16  # when the last message about the whole channel was due

    def due(self, at_ms: int, status: int, data1: int) -> int:
        """When the next message is due that asks for `at_ms`."""
        channel = status & 0x0F
        if status & 0xF0 == CONTROL_CHANGE and data1 >= FIRST_MODE_MESSAGE:
            at_ms = self._silenced[channel] = max(at_ms, self._latest[channel])
        else:
            about = (channel if status < CONTROL_CHANGE else status, data1 if status < PROGRAM_CHANGE else 0)
            at_ms = self._last[about] = max(at_ms, self._last.get(about, 0), self._silenced[channel])
        self._latest[channel] = max(at_ms, self._latest[channel])
        return at_ms
