"""One track of a Standard MIDI File (RP-001), read whatever is wrong with it.

What cannot be played is left out and said (`Forgiven`); the time before it counts all the same. Only what follows an
event that does not end is lost.
"""

import time
from array import array
from collections.abc import Iterable
from typing import Final

from rhythm_protocol.midi import CHANNEL_PRESSURE, NOTE_OFF, NOTE_ON, PITCH_BEND, PROGRAM_CHANGE
from rhythmd.midi.forgiving import Forgiven, NotReadable

__all__ = [
    "CUT_OFF",
    "END_TICK",
    "KEY_SIGNATURE",
    "MOST_EVENTS",
    "PADDING",
    "TIME_SIGNATURE",
    "Budget",
    "Findings",
    "Part",
    "Track",
]

MOST_EVENTS: Final = 1_000_000
TICK_SHIFT: Final = 24
END_TICK: Final = 1 << (64 - TICK_SHIFT)
"""No event is so late: half a year with the usual division and tempo. One is its tick and three bytes, in eight."""

LONGEST_NUMBER: Final = 0x0FFF_FFFF  # four bytes of seven bits

PADDING: Final = bytes(8)
"""What stands behind the content, so that an event that is cut off is not read beyond it."""

SYSTEM: Final = 0xF0
META: Final = 0xFF
EXCLUSIVE: Final = 0xF0
EXCLUSIVE_END: Final = 0xF7
ESCAPE: Final = 0xF7
REAL_TIME: Final = range(0xF8, META)
COMMON_DATA: Final = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # how many bytes follow: time code, song position, song
TRACK_NAME: Final = 0x03
PORT: Final = 0x21
END_OF_TRACK: Final = 0x2F
SET_TEMPO: Final = 0x51
TIME_SIGNATURE: Final = 0x58
KEY_SIGNATURE: Final = 0x59
META_BYTES: Final = {PORT: 1, SET_TEMPO: 3, TIME_SIGNATURE: 4, KEY_SIGNATURE: 2}
MAX_BEAT_EXPONENT: Final = 10
MAX_SHARPS: Final = 7
LONGEST_NAME: Final = 1_024
LONGEST_QUANTITY: Final = 4  # bytes
SHORTEST_QUARTER_US: Final = 1_000
ONE_DATA_BYTE: Final = range(PROGRAM_CHANGE, CHANNEL_PRESSURE + 0x10)
REST_EVERY: Final = 256
REST_S: Final = 0.0001

CUT_OFF: Final = "a track ends within an event, which is left out"
_SYSTEM: Final = "a system common or real-time message has no place in a file and is left out"
_LONG_NUMBER: Final = "a number has more than four bytes"
_STRAY: Final = "data without a status are left out"
_GOES_ON: Final = "running status goes on after a system exclusive or meta event"
_CLAMPED: Final = "a value above 127 is taken as 127"
_NO_SUBJECT: Final = "a message about a key, controller or program above 127 is left out"
_META_SIZE: Final = "a meta event of the wrong length is left out"
_TOO_LATE: Final = "what comes after half a year is left out"
_TEMPO: Final = "a tempo of 0 is left out"
_TOO_FAST: Final = "a tempo of more than 60,000 quarters a minute is left out"
_METRE: Final = "a time signature that is none is left out"
_KEY: Final = "a key signature that is none is left out"
_NO_LENGTH: Final = "a system exclusive message has a wrong length and is taken to end with F7"


class Part:
    """The channel messages of a track that go to one port.

    Attributes:
        track: the track's number, from 0.
        port: as the file numbers them.
        events: tick << 24 | status << 16 | data 1 << 8 | data 2 each.
    """

    __slots__ = ("events", "port", "track")

    def __init__(self, track: int, port: int) -> None:
        self.track = track
        self.port = port
        self.events = array("Q")


class Findings:
    """What tracks say.

    Attributes:
        parts: those that have messages.
        names: of tracks, by their number.
        tempos: tick << 24 | microseconds of a quarter each.
        signatures: tick << 24 | kind of meta event << 16 | its first byte << 8 | its second each.
        last_tick: of the last event of any kind.
    """

    __slots__ = ("last_tick", "names", "parts", "signatures", "tempos")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.names: dict[int, bytes] = {}
        self.tempos = array("Q")
        self.signatures = array("Q")
        self.last_tick = 0


class Budget:
    """Counts the events of all tracks, and rests now and then, so that other threads get their turns."""

    __slots__ = ("_rested", "_spent")

    def __init__(self) -> None:
        self._spent = self._rested = 0

    def spend(self, events: int, at: int) -> None:
        """Raise NotReadable where there are too many."""
        self._spent += events
        if self._spent > MOST_EVENTS:
            raise NotReadable(f"it has more than {MOST_EVENTS:,} MIDI events of any kind, which no room plays", at)
        if self._spent - self._rested >= REST_EVERY:
            self._rested = self._spent
            time.sleep(REST_S)


class Track:
    """The reading of one track.

    Args:
        content: of the whole file, with `PADDING` behind it.
        number: of the track, from 0.
        at: where its first event begins.
        tick: when it begins.

    Attributes:
        found, forgiven: what it says, and what is wrong with it.
        at: where the next event begins.
        tick: when the last event was.
        is_over: whether its end event was met.
    """

    def __init__(self, content: bytes, number: int, at: int, tick: int, budget: Budget) -> None:
        self._content = content
        self._number = number
        self._budget = budget
        self._status = 0
        self._port = 0
        self._is_continued = False
        self._parts: dict[int, Part] = {}
        self.found = Findings()
        self.forgiven = Forgiven()
        self.at = at
        self.tick = tick
        self.is_over = False

    def rest(self) -> "Track":
        """The reading of what comes next, which this one knows nothing of."""
        rest = Track(self._content, self._number, self.at, self.tick, self._budget)
        rest._status, rest._port, rest._is_continued = self._status, self._port, self._is_continued
        return rest

    def read(self, limit: int) -> bool:
        """Read until the end event, or until one that is not whole before `limit`; whether the end event was met."""
        try:
            while self.at < limit and not self.is_over:
                read = self._messages(limit)
                self._budget.spend(read, self.at)
                if read < REST_EVERY and not self._other(limit):
                    break
        except OverflowError:
            self._end_too_late(limit)
        self.found.parts = [part for part in self._parts.values() if part.events]
        self.found.last_tick = min(self.tick, END_TICK - 1)
        return self.is_over

    def _end_too_late(self, limit: int) -> None:
        """Leave out what is later than can be counted."""
        self.forgiven.add(_TOO_LATE, self.at)
        ticks = (part.events[-1] >> TICK_SHIFT for part in self._parts.values() if part.events)
        self.tick, self.at, self.is_over = max(ticks, default=self.tick), limit, True

    def take_late_releases(self, limit: int) -> bool:
        """Of what follows the end event up to `limit`, take the releases of keys that are held; whether there are any.

        They are looked for only where what follows is a track's bytes, without a fault.
        """
        rest = self.rest()
        if (not rest.read(limit) and rest.at < limit) or rest.forgiven.lines():
            return False
        before = self.tick
        for part in rest.found.parts:
            ours = self._parts.get(part.port)
            if ours is not None and (taken := _releases(_held(ours.events), part.events)):
                ours.events.extend(taken)
                self.tick = max(self.tick, taken[-1] >> TICK_SHIFT)
        self.found.last_tick = self.tick
        return self.tick > before

    def _messages(self, limit: int) -> int:
        """Read at most `REST_EVERY` channel messages that are as they should be; how many there were."""
        content, status, tick, at = self._content, self._status, self.tick, self.at
        events = self._part().events
        read = 0
        while read < REST_EVERY:
            delta, end = content[at], at + 1
            if delta & 0x80:
                delta, end = self._quantity(at)
            first = content[end]
            if first & 0x80:
                if first >= SYSTEM:
                    break
                status, end = first, end + 1
            data1, end = content[end], end + 1
            if PROGRAM_CHANGE <= status < PITCH_BEND:
                data2 = 0
            else:
                data2, end = content[end], end + 1
            if end > limit or (data1 | data2) & 0x80 or not status:
                break
            tick += delta
            events.append(tick << TICK_SHIFT | status << 16 | data1 << 8 | data2)
            at = end
            read += 1
        self._status, self.tick, self.at = status, tick, at
        return read

    def _part(self) -> Part:
        part = self._parts.get(self._port)
        if part is None:
            part = self._parts[self._port] = Part(self._number, self._port)
        return part

    def _other(self, limit: int) -> bool:
        """Read one event of any kind; False, and nothing is read, if it is not whole before `limit`."""
        if self.at >= limit:
            return False
        delta, at = self._quantity(self.at)
        tick = self.tick + delta
        first = self._content[at]
        if first >= SYSTEM:
            end = self._system(first, at + 1, tick, limit)
        elif first & 0x80 or self._status:
            end = self._odd_message(at, tick, limit)
        else:
            end = self._stray(at, limit)
        if end > limit:
            return False
        self.at, self.tick = end, tick
        self._budget.spend(1, end)
        return True

    def _odd_message(self, at: int, tick: int, limit: int) -> int:
        """A channel message with a byte that has no place in it; where it ends."""
        content, start = self._content, at
        if content[at] & 0x80:
            self._status, at = content[at], at + 1
        while content[at] in REAL_TIME:
            self.forgiven.add(_SYSTEM, at)
            at += 1
        status = self._status
        end = at + (1 if status in ONE_DATA_BYTE else 2)
        if end > limit:
            return end
        data1, data2 = (content[at], 0) if status in ONE_DATA_BYTE else content[at:end]
        if data1 & 0x80 and status < PITCH_BEND and status & 0xF0 != CHANNEL_PRESSURE:
            self.forgiven.add(_NO_SUBJECT, start)
            return end
        if (data1 | data2) & 0x80:
            self.forgiven.add(_CLAMPED, start)
        self._part().events.append(tick << TICK_SHIFT | status << 16 | min(data1, 0x7F) << 8 | min(data2, 0x7F))
        return end

    def _stray(self, at: int, limit: int) -> int:
        """Data where no status is known; where the next event begins: its delta is the last byte before a status."""
        end = at + 1
        if end > limit:
            return end
        self.forgiven.add(_STRAY, at)
        while end < limit and self._content[end] < 0x80:
            end += 1
        return end if end == limit else max(end - 1, at)

    def _system(self, status: int, at: int, tick: int, limit: int) -> int:
        """What is no channel message, and begins before `at`; where it ends."""
        content, start, kind = self._content, at - 1, -1
        if at > limit:
            return at
        if status not in (EXCLUSIVE, ESCAPE, META):
            return self._common(status, at, limit)
        if status == META:
            kind, at = content[at], at + 1
        size, data = self._quantity(at)
        end = data + size
        if kind == END_OF_TRACK and data <= limit:
            self.is_over = True
            if size:
                self.forgiven.add(_META_SIZE, start)
            return data
        if status != META:
            end = self._exclusive(status, data, end, tick, limit)
        elif end <= limit and self._is_meta_whole(kind, size, start):
            self._meta(kind, start, data, end, tick)
        if end < limit:
            self._look_at_running(end, limit)
        return end

    def _common(self, status: int, at: int, limit: int) -> int:
        self.forgiven.add(_SYSTEM, at - 1)
        for _ in range(COMMON_DATA.get(status, 0)):
            at += self._content[at] < 0x80 and at < limit
        return at

    def _look_at_running(self, at: int, limit: int) -> None:
        while at < limit and self._content[at] & 0x80:
            at += 1
        if self._status and at + 1 < limit and self._content[at + 1] < 0x80:
            self.forgiven.add(_GOES_ON, at + 1)

    def _exclusive(self, status: int, data: int, end: int, tick: int, limit: int) -> int:
        """A system exclusive message, a packet of one, or an escape; where it ends.

        One whose length leads beyond the track, or that goes on behind its F7, has none: some programs forget it.
        """
        content = self._content
        if status == EXCLUSIVE and (end > limit or (end > data and content[end - 1] != EXCLUSIVE_END)):
            inner = content.find(EXCLUSIVE_END, data - 1, min(end, limit))
            if inner >= 0:
                self.forgiven.add(_NO_LENGTH, data)
                self._is_continued = False
                return inner + 1
        if end > limit:
            return end
        is_escape = status == ESCAPE and not self._is_continued
        if is_escape and data < end <= data + 3 and content[data] in range(0x80, SYSTEM):
            self._escaped(content[data:end], tick)
        elif not is_escape:
            self._is_continued = end == data or content[end - 1] != EXCLUSIVE_END
        return end

    def _escaped(self, message: bytes, tick: int) -> None:
        """A channel message in an escape is sent as any other; a part of one is left out."""
        size = 2 if message[0] in ONE_DATA_BYTE else 3
        if len(message) == size and max(message[1:]) < 0x80:
            self._part().events.append(tick << TICK_SHIFT | int.from_bytes(message.ljust(3, b"\0"), "big"))

    def _is_meta_whole(self, kind: int, size: int, start: int) -> bool:
        if size == META_BYTES.get(kind, size):
            return True
        self.forgiven.add(_META_SIZE, start)
        return False

    def _meta(self, kind: int, start: int, data: int, end: int, tick: int) -> None:
        content = self._content
        if kind == SET_TEMPO:
            tempo = int.from_bytes(content[data:end], "big")
            if tempo >= SHORTEST_QUARTER_US:
                self.found.tempos.append(tick << TICK_SHIFT | tempo)
            else:
                self.forgiven.add(_TOO_FAST if tempo else _TEMPO, start)
        elif kind in (TIME_SIGNATURE, KEY_SIGNATURE):
            first, second = content[data : data + 2]
            fault = _fault_of(kind, first, second)
            if fault:
                self.forgiven.add(fault, start)
            else:
                self.found.signatures.append(tick << TICK_SHIFT | kind << 16 | first << 8 | second)
        elif kind == TRACK_NAME:
            self.found.names.setdefault(self._number, content[data : min(end, data + LONGEST_NAME)])
        elif kind == PORT:
            self._port = content[data]

    def _quantity(self, at: int) -> tuple[int, int]:
        """A number in the file's form, seven bits a byte, and where it ends; at most `LONGEST_NUMBER`."""
        content, start, number = self._content, at, 0
        while content[at] & 0x80:
            number = min(number << 7 | content[at] & 0x7F, LONGEST_NUMBER)
            at += 1
        if at - start >= LONGEST_QUANTITY:
            self.forgiven.add(_LONG_NUMBER, start)
        return min(number << 7 | content[at], LONGEST_NUMBER), at + 1


def _fault_of(kind: int, first: int, second: int) -> str:
    """What is wrong with a signature; empty if nothing is."""
    if kind == TIME_SIGNATURE:
        return "" if first and second <= MAX_BEAT_EXPONENT else _METRE
    sharps = first - 0x100 if first > 0x7F else first
    return "" if abs(sharps) <= MAX_SHARPS and second <= 1 else _KEY


def _held(events: Iterable[int]) -> set[int]:
    """The keys that are held behind `events`: channel << 8 | key."""
    held: set[int] = set()
    for event in events:
        kind = event >> 16 & 0xF0
        if kind == NOTE_ON and event & 0x7F:
            held.add(event >> 8 & 0x0F7F)
        elif kind in (NOTE_ON, NOTE_OFF):
            held.discard(event >> 8 & 0x0F7F)
    return held


def _releases(held: set[int], events: Iterable[int]) -> list[int]:
    """The first release of each key that is held."""
    releases: list[int] = []
    for event in events:
        kind, key = event >> 16 & 0xF0, event >> 8 & 0x0F7F
        if key in held and (kind == NOTE_OFF or (kind == NOTE_ON and not event & 0x7F)):
            held.remove(key)
            releases.append(event)
    return releases
