"""Standard MIDI Files as music to be played: all tracks together, every message with its time.

What is read, and what of a file's faults is forgiven, is `rhythmd.midi.parser`'s.
"""

import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import repeat
from typing import Final, NamedTuple

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON
from rhythmd.midi.forgiving import NotReadable
from rhythmd.midi.parser import SMPTE, TEMPO_US, MidiFile, parse
from rhythmd.midi.parts import DRUMS
from rhythmd.midi.score import Score
from rhythmd.midi.state import ALL_NOTES_OFF

__all__ = ["Clock", "NotReadable", "Timed", "duration_ms", "in_time", "read_performance"]

LONGEST_MS: Final = 86_400_000
LONGEST_ECHO_MS: Final = 2_000  # after the last note, for a pedal that is lifted later; what comes after it is left out
SECOND_US: Final = 1_000_000
DROP_FRAME: Final = 29  # means 30,000 frames in 1,001 seconds (RP-001)
REST_EVERY: Final = 256
REST_S: Final = 0.0001


class Timed(NamedTuple):
    """A channel message: when it is due, from the beginning of the piece, and status << 16 | data 1 << 8 | data 2."""

    ms: int
    seconds: float
    message: int


def read_performance(content: bytes) -> Score:
    """The piece in a MIDI file, without its drums: on a piano they would be random low notes.

    It computes for a while, up to some seconds: run it in a thread. It rests often, so that the loop gets its turns.

    Args:
        content: of the whole file.

    Raises:
        NotReadable: it is no MIDI file, longer than a day, or has more than `MOST_EVENTS` events.
    """
    file = parse(content)
    times = array("I")
    messages = bytearray()
    for timed in in_time(file, with_drums=False):
        times.append(timed.ms)
        messages += timed.message.to_bytes(3, "big")
    return Score(times, bytes(messages), duration_ms(file))


def duration_ms(file: MidiFile) -> int:
    """When the last key is let go, of drums, too. A key that is never let go is so at the end.

    Raises:
        NotReadable: that is more than a day after the beginning.
    """
    clock = Clock(file)
    duration = clock.ms(file.heard.last_tick)
    if file.heard.hanging:
        duration = min(clock.ms(file.found.last_tick), duration + LONGEST_ECHO_MS)
    if duration > LONGEST_MS:
        raise NotReadable("the piece is longer than a day", 0)
    return duration


def in_time(file: MidiFile, *, with_drums: bool) -> Iterator[Timed]:
    """All messages of all tracks in the order in which they are due.

    Raises:
        NotReadable: they last for more than a day.
    """
    ends_ms = duration_ms(file)
    last_ms = Clock(file).ms(file.heard.last_tick) + LONGEST_ECHO_MS if file.heard.notes else LONGEST_MS
    clock = Clock(file)
    held: defaultdict[int, set[int]] = defaultdict(set)
    # Merged one by one: to sort a million of them would be one call, in which no other thread gets a turn.
    tracks = [zip(part.events, repeat(number)) for number, part in enumerate(file.found.parts)]
    for number, event in enumerate(_in_turn(merge(*tracks, key=_turn), held)):
        if not number % REST_EVERY:
            time.sleep(REST_S)
        timed = clock.timed(event)
        if timed.ms > last_ms:
            break
        if with_drums or event >> 16 & 0x0F != DRUMS:
            yield timed
    for key in sorted(key for key, tracks_ in held.items() if tracks_):
        if with_drums or key >> 7 != DRUMS:
            yield Timed(ends_ms, ends_ms / 1_000, (NOTE_OFF | key >> 7) << 16 | (key & 0x7F) << 8)


def _turn(event: tuple[int, int]) -> int:
    """What orders the events of several tracks: the tick, and at one tick the presses last.

    A key that goes from one track to another at one tick is let go by the one before the other one presses it. Each
    track keeps its own order: its next event is looked at when the one before it has had its turn.
    """
    message = event[0]
    return message >> 24 << 1 | (message & 0xF00000 == NOTE_ON << 16 and message & 0x7F != 0)


def _in_turn(events: Iterable[tuple[int, int]], holders: defaultdict[int, set[int]]) -> Iterator[int]:
    """Events of (message, track), such that a key which several tracks hold sounds until the last one lets go of it.

    A press of what another track holds strikes it anew. A release by a track that does not hold the key ends it for
    all: some programs press in one track and release in another, and a key must not hang. `holders` has at any time the
    tracks that hold a key, by channel << 7 | key.
    """
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


class Clock:
    """When the ticks of a file are, for ticks that only grow. Times are exact until they are rounded: none drifts."""

    def __init__(self, file: MidiFile) -> None:
        if file.division & SMPTE:
            frames = 0x100 - (file.division >> 8)
            rate, seconds = (30_000, 1_001) if frames == DROP_FRAME else (frames, 1)
            self._ticks, self._tempo = rate * (file.division & 0xFF), seconds * SECOND_US
            self._tempos: list[int] = []
        else:
            self._ticks, self._tempo = file.division, TEMPO_US
            # Taken from the end, so of several tempos at one tick the last one in the file counts.
            self._tempos = sorted(file.found.tempos, key=_tick)[::-1]
        self._since_tick = 0
        self._since = 0  # microseconds times ticks of a quarter

    def ms(self, tick: int) -> int:
        """Milliseconds from the beginning to `tick`."""
        return (self._at(tick) + 500 * self._ticks) // (1_000 * self._ticks)

    def timed(self, event: int) -> Timed:
        """An event of a part with its time."""
        at = self._at(event >> 24)
        ms = (at + 500 * self._ticks) // (1_000 * self._ticks)
        return Timed(ms, at / (SECOND_US * self._ticks), event & 0xFFFFFF)

    def _at(self, tick: int) -> int:
        while self._tempos and self._tempos[-1] >> 24 <= tick:
            tempo = self._tempos.pop()
            self._since += ((tempo >> 24) - self._since_tick) * self._tempo
            self._since_tick, self._tempo = tempo >> 24, tempo & 0xFFFFFF
        return self._since + (tick - self._since_tick) * self._tempo


def _tick(event: int) -> int:
    return event >> 24
