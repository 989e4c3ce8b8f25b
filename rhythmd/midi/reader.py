"""Standard MIDI Files as music to be played: all tracks together, every message with its time.

What is read, and what of a file's faults is forgiven, is `rhythmd.midi.parser`'s.
"""

import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import repeat
from typing import Final

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON
from rhythmd.midi.clock import Clock, Timed
from rhythmd.midi.forgiving import NotReadable
from rhythmd.midi.parser import MidiFile, parse
from rhythmd.midi.parts import DRUMS
from rhythmd.midi.pauses import LONGEST_MS
from rhythmd.midi.score import Score
from rhythmd.midi.state import ALL_NOTES_OFF
from rhythmd.midi.thinning import thinned

__all__ = ["NotReadable", "Timed", "duration_ms", "in_time", "read_performance"]

LONGEST_ECHO_MS: Final = 2_000  # after the last note, for a pedal that is lifted later; what comes after it is left out
REST_EVERY: Final = 256
REST_S: Final = 0.0001


def read_performance(content: bytes) -> Score:
    """The piece in a MIDI file, without its drums, random low notes on a piano, and what is too much at once.

    It computes for a while, up to some seconds: run it in a thread. It rests often, so that the loop gets its turns.

    Args:
        content: of the whole file.

    Raises:
        NotReadable: it is no MIDI file, or has more than `MOST_EVENTS` events.
    """
    file = parse(content)
    times = array("I")
    messages = bytearray()
    for timed in thinned(in_time(file, with_drums=False)):
        times.append(timed.ms)
        messages += timed.message.to_bytes(3, "big")
    return Score(times, bytes(messages), duration_ms(file))


def _clock(file: MidiFile) -> Clock:
    return Clock(file.division, file.found.tempos)


def duration_ms(file: MidiFile) -> int:
    """When the last key is let go, of drums, too. A key that is never let go is so at the end."""
    clock = _clock(file)
    duration = clock.ms(file.heard.last_tick)
    if file.heard.hanging:
        duration = min(clock.ms(file.found.last_tick), duration + LONGEST_ECHO_MS)
    return duration


def in_time(file: MidiFile, *, with_drums: bool) -> Iterator[Timed]:
    """All messages of all tracks in the order in which they are due."""
    ends_ms = duration_ms(file)
    last_ms = _clock(file).ms(file.heard.last_tick) + LONGEST_ECHO_MS if file.heard.notes else LONGEST_MS
    clock = _clock(file)
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
            if len(holding) > (track in holding):
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
