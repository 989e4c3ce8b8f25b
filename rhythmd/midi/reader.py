"""Standard MIDI Files read: format 0 and 1, tempo maps, running status (RP-001).

Read here and not with a library: a file may have a million events, which the library that is at hand makes a million
objects of, in ten times the time, while the server's other threads wait for the interpreter.
"""

import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import repeat
from struct import Struct
from typing import Final

from rhythm_protocol.midi import CHANNEL_PRESSURE, CONTROL_CHANGE, NOTE_OFF, NOTE_ON, PROGRAM_CHANGE
from rhythmd.midi.score import Score
from rhythmd.midi.state import ALL_NOTES_OFF

__all__ = ["MOST_EVENTS", "NotReadable", "read_performance"]

MOST_EVENTS: Final = 1_000_000
LONGEST_MS: Final = 86_400_000
LONGEST_ECHO_MS: Final = 2_000  # after the last note, for a pedal that is lifted later; what comes after it is left out
DRUMS: Final = 9  # the channel of General MIDI's drums, from 0

_CHUNK: Final = Struct(">4sI")
_HEAD: Final = Struct(">HHH")
SMPTE: Final = 0x8000
TEMPO_US: Final = 500_000  # of a quarter, before a file says another one
SECOND_US: Final = 1_000_000
DROP_FRAME: Final = 29  # means 30,000 frames in 1,001 seconds (RP-001)
SYSTEM: Final = 0xF0
META: Final = 0xFF
SYSEX: Final = (0xF0, 0xF7)
SET_TEMPO: Final = 0x51
END_OF_TRACK: Final = 0x2F
LONGEST_QUANTITY: Final = 4  # bytes
_ONE_DATA_BYTE: Final = range(PROGRAM_CHANGE, CHANNEL_PRESSURE + 0x10)

REST_EVERY: Final = 256
REST_S: Final = 0.0001


class NotReadable(ValueError):
    """The bytes are no MIDI file that can be played. The message says what is wrong and at which byte."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(f"byte {at}: {reason}")


def read_performance(content: bytes) -> Score:
    """The piece in a MIDI file, without its drums: on a piano they would be random low notes.

    It computes for a while, up to some seconds: run it in a thread. It rests often, so that the loop gets its turns.

    Args:
        content: of the whole file.

    Raises:
        NotReadable: it is broken, of format 2, longer than a day, or has more than `MOST_EVENTS` events.
    """
    kind, division, at = _head(content)
    reading = _Reading(content)
    while at < len(content):
        if at + _CHUNK.size > len(content):
            break  # some programs pad their files
        name, size = _CHUNK.unpack_from(content, at)
        at += _CHUNK.size
        if at + size > len(content):
            raise NotReadable("this chunk is longer than what is left of the file", at)
        if name == b"MTrk":
            reading.read_track(at, at + size)
        at += size
    if kind == 0 and reading.tracks > 1:
        raise NotReadable("a file of format 0 has one track", 0)
    return reading.finish(division)


def _head(content: bytes) -> tuple[int, int, int]:
    """Format, division, and where the first track may begin."""
    if len(content) < _CHUNK.size + _HEAD.size or content[:4] != b"MThd":
        raise NotReadable("a MIDI file begins with MThd", 0)
    _, size = _CHUNK.unpack_from(content)
    kind, _, division = _HEAD.unpack_from(content, _CHUNK.size)
    if size < _HEAD.size:
        raise NotReadable("the head is too short", 4)
    if kind > 1:
        raise NotReadable(f"format {kind} is not one piece; only 0 and 1 are", 8)
    if not (division & 0xFF if division & SMPTE else division):
        raise NotReadable("a beat has no ticks", 12)
    return kind, division, _CHUNK.size + size


class _Reading:
    """A file as far as it is read: each track's events as tick << 24 | message, and all tempos.

    Attributes:
        tracks: how many were read.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._parts: list[list[int]] = []
        self._tempos: list[tuple[int, int]] = []
        self._last_note_tick = 0
        self._read = 0
        self.tracks = 0

    def read_track(self, at: int, end: int) -> None:
        """One track, from its first byte to before `end`."""
        content = self._content
        tick = status = 0
        self.tracks += 1
        events: list[int] = []
        while at < end:
            delta, at = self._quantity(at, end)
            tick += delta
            if at >= end:
                raise NotReadable("the track ends within an event", at)
            if content[at] & 0x80:
                status = content[at] if content[at] < SYSTEM else status
                at += 1
                if content[at - 1] >= SYSTEM:
                    at = self._skip(tick, content[at - 1], at, end)
                    if at < 0:
                        break
                    continue
            elif not status:
                raise NotReadable("there is data before any status", at)
            at = self._take(events, tick, status, at, end)
        if events:
            self._parts.append(events)

    def _take(self, events: list[int], tick: int, status: int, at: int, end: int) -> int:
        """A channel message, of which the data begins at `at`; where the next event begins."""
        content = self._content
        size = 1 if status in _ONE_DATA_BYTE else 2
        if at + size > end:
            raise NotReadable("the track ends within an event", at)
        data1, data2 = content[at], content[at + 1] if size == 2 else 0
        if (data1 | data2) & 0x80:
            raise NotReadable("a data byte is above 127", at)
        self._count(at)
        if status < NOTE_ON + 0x10:
            self._last_note_tick = max(self._last_note_tick, tick)
        if status & 0x0F != DRUMS:
            events.append(tick << 24 | status << 16 | data1 << 8 | data2)
        return at + size

    def _skip(self, tick: int, status: int, at: int, end: int) -> int:
        """What is no channel message, of which only tempos count; where the next event begins, -1 at the end."""
        if status == META:
            if at >= end:
                raise NotReadable("the track ends within an event", at)
            kind, at = self._content[at], at + 1
        elif status in SYSEX:
            kind = -1
        else:
            raise NotReadable(f"status {status:#x} has no place in a file", at - 1)
        size, at = self._quantity(at, end)
        if at + size > end:
            raise NotReadable("the track ends within an event", at)
        self._count(at)
        if kind == SET_TEMPO and size == 3:
            self._tempos.append((tick, int.from_bytes(self._content[at : at + 3], "big") or TEMPO_US))
        return -1 if kind == END_OF_TRACK else at + size

    def _count(self, at: int) -> None:
        self._read += 1
        if self._read > MOST_EVENTS:
            raise NotReadable(f"there are more than {MOST_EVENTS:,} events", at)
        if not self._read % REST_EVERY:
            time.sleep(REST_S)

    def _quantity(self, at: int, end: int) -> tuple[int, int]:
        """A number in the file's form, seven bits a byte, and where it ends."""
        number = 0
        for digit in self._content[at : min(at + LONGEST_QUANTITY, end)]:
            at += 1
            number = number << 7 | digit & 0x7F
            if digit < 0x80:
                return number, at
        raise NotReadable("a number does not end", at)

    def finish(self, division: int) -> Score:
        """The score of all tracks together. It lasts until the last key is let go, of drums, too."""
        duration_ms = _Clock(division, self._tempos).ms(self._last_note_tick)
        if duration_ms > LONGEST_MS:
            raise NotReadable("the piece is longer than a day", 0)
        clock = _Clock(division, self._tempos)
        times = array("I")
        messages = bytearray()
        # Merged one by one: to sort a million of them would be one call, in which no other thread gets a turn.
        tracks = [zip(part, repeat(number)) for number, part in enumerate(self._parts)]
        for number, event in enumerate(_in_turn(merge(*tracks, key=_turn))):
            at_ms = clock.ms(event >> 24)
            if at_ms > duration_ms + LONGEST_ECHO_MS:
                break
            times.append(at_ms)
            messages += (event & 0xFFFFFF).to_bytes(3, "big")
            if not number % REST_EVERY:
                time.sleep(REST_S)
        return Score(times, bytes(messages), duration_ms)


def _turn(event: tuple[int, int]) -> int:
    """What orders the events of several tracks: the tick, and at one tick the presses last.

    A key that goes from one track to another at one tick is let go by the one before the other one presses it. Each
    track keeps its own order: its next event is looked at when the one before it has had its turn.
    """
    message = event[0]
    return message >> 24 << 1 | (message & 0xF00000 == NOTE_ON << 16 and message & 0x7F != 0)


def _in_turn(events: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Events of (message, track), such that a key which several tracks hold sounds until the last one lets go of it.

    A press of what another track holds strikes it anew. A release by a track that does not hold the key ends it for
    all: some programs press in one track and release in another, and a key must not hang.
    """
    holders: defaultdict[int, set[int]] = defaultdict(set)  # by channel << 7 | key
    for event, track in events:
        kind, channel = event >> 16 & 0xF0, event >> 16 & 0x0F
        key, value = event >> 8 & 0x7F, event & 0x7F
        if kind == NOTE_ON and value:
            holding = holders[channel << 7 | key]
            if holding - {track}:
                yield event & ~0x7F  # a press without velocity is a release
            holding.add(track)
        elif kind in (NOTE_ON, NOTE_OFF):
            holding = holders[channel << 7 | key]
            if track in holding and len(holding) > 1:
                holding.remove(track)
                continue
            holding.clear()
        elif kind == CONTROL_CHANGE and key in ALL_NOTES_OFF:
            for held in range(channel << 7, (channel + 1) << 7):
                holders.pop(held, None)
        yield event


class _Clock:
    """When a tick is, for ticks that only grow. Times are exact until they are rounded to ms: none drifts.

    Args:
        division: as the file's head has it: ticks of a quarter, or of a frame of film.
        tempos: (tick, microseconds of a quarter), of all tracks.
    """

    def __init__(self, division: int, tempos: list[tuple[int, int]]) -> None:
        if division & SMPTE:
            frames = 0x100 - (division >> 8)
            rate, seconds = (30_000, 1_001) if frames == DROP_FRAME else (frames, 1)
            self._ticks, self._tempo = rate * (division & 0xFF), seconds * SECOND_US
            self._tempos: list[tuple[int, int]] = []
        else:
            self._ticks, self._tempo = division, TEMPO_US
            # Taken from the end, so of several tempos at one tick the last one in the file counts.
            self._tempos = sorted(tempos, key=lambda tempo: tempo[0])[::-1]
        self._since_tick = 0
        self._since = 0  # microseconds times ticks of a quarter

    def ms(self, tick: int) -> int:
        """Milliseconds from the beginning to `tick`."""
        while self._tempos and self._tempos[-1][0] <= tick:
            change, tempo = self._tempos.pop()
            self._since += (change - self._since_tick) * self._tempo
            self._since_tick, self._tempo = change, tempo
        at = self._since + (tick - self._since_tick) * self._tempo
        return (at + 500 * self._ticks) // (1_000 * self._ticks)
