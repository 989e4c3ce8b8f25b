"""What the tracks of a file are together: its channels on one port, and what sounds."""

import time
from array import array
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count
from typing import Final, NamedTuple

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON
from rhythmd.midi.forgiving import Forgiven
from rhythmd.midi.state import ALL_NOTES_OFF
from rhythmd.midi.track import Part

__all__ = ["DRUMS", "Heard", "on_one_port", "survey"]

DRUMS: Final = 9
"""The channel of General MIDI's drums, from 0."""

CHANNELS: Final = 16
REST_EVERY: Final = 4_096
REST_S: Final = 0.0001

_PORTS: Final = "it has several ports: their channels go to free ones, and share one where none is free"


class Heard(NamedTuple):
    """What of a file sounds.

    Args:
        notes: how many are pressed.
        last_tick: of the last press or release.
        voices: pairs of track and channel that have notes.
        hanging: keys (channel << 7 | key) that no track releases.
    """

    notes: int
    last_tick: int
    voices: frozenset[tuple[int, int]]
    hanging: frozenset[int]


def on_one_port(parts: Sequence[Part], forgiven: Forgiven) -> list[Part]:
    """The parts, one for each track, on one port, as a player in a room has one.

    The first port keeps its channels. A channel of another port gets one that no other has, drums that of the drums.
    When none is left it keeps its number, and shares that channel.
    """
    ports = sorted({part.port for part in parts})
    if len(ports) > 1:
        forgiven.add(_PORTS, 0)
        _change_channels(parts, ports[0])
    by_track: defaultdict[int, list[Part]] = defaultdict(list)
    for part in parts:
        by_track[part.track].append(part)
    return [_joined(same) for same in by_track.values()]


def _change_channels(parts: Sequence[Part], first: int) -> None:
    channels: dict[tuple[int, int], int] = {}
    used = {DRUMS} | {event >> 16 & 0x0F for part in parts if part.port == first for event in part.events}
    for part in parts:
        if part.port == first:
            continue
        for at, event in enumerate(part.events):
            place = part.port, event >> 16 & 0x0F
            if place not in channels:
                channels[place] = _free_channel(place[1], used)
                used.add(channels[place])
            part.events[at] = event & ~0x0F0000 | channels[place] << 16


def _joined(parts: list[Part]) -> Part:
    """The parts of one track as one."""
    whole = parts[0]
    if len(parts) > 1:
        whole.events = array("Q", sorted(chain.from_iterable(part.events for part in parts), key=_tick))
    return whole


def _tick(event: int) -> int:
    return event >> 24


def _free_channel(wanted: int, used: set[int]) -> int:
    if wanted == DRUMS or wanted not in used:
        return wanted
    return next((channel for channel in range(CHANNELS) if channel not in used), wanted)


def survey(parts: Sequence[Part]) -> Heard:
    """What sounds. It rests now and then, so that other threads get their turns."""
    notes = last_tick = 0
    voices: set[tuple[int, int]] = set()
    ends: defaultdict[int, int] = defaultdict(int)
    hanging: dict[int, int] = {}
    numbers = count(1)
    for part in parts:
        ear = _Ear()
        for number, event in zip(numbers, part.events, strict=False):
            ear.hear(event)
            if not number % REST_EVERY:
                time.sleep(REST_S)
        notes += ear.notes
        last_tick = max(last_tick, ear.last_tick)
        voices.update((part.track, channel) for channel in ear.channels)
        for key, tick in ear.ends.items():
            ends[key] = max(ends[key], tick)
        for key, tick in ear.held.items():
            hanging[key] = max(hanging.get(key, 0), tick)
    return Heard(notes, last_tick, frozenset(voices), frozenset(key for key, at in hanging.items() if ends[key] <= at))


class _Ear:
    """What one part does to the keys: since when those are held that are, and when others were released last."""

    __slots__ = ("channels", "ends", "held", "last_tick", "notes")

    def __init__(self) -> None:
        self.notes = self.last_tick = 0
        self.channels: set[int] = set()
        self.held: dict[int, int] = {}
        self.ends: dict[int, int] = {}

    def hear(self, event: int) -> None:
        kind = event >> 16 & 0xF0
        if kind in (NOTE_OFF, NOTE_ON):
            self.last_tick = tick = event >> 24
            channel = event >> 16 & 0x0F
            key = channel << 7 | event >> 8 & 0x7F
            if kind == NOTE_ON and event & 0x7F:
                self.notes += 1
                self.channels.add(channel)
                self.held[key] = tick
            else:
                self.held.pop(key, None)
                self.ends[key] = tick
        elif kind == CONTROL_CHANGE and event >> 8 & 0x7F in ALL_NOTES_OFF:
            self._end_all(event >> 16 & 0x0F, event >> 24)

    def _end_all(self, channel: int, tick: int) -> None:
        for key in range(channel << 7, (channel + 1) << 7):
            self.held.pop(key, None)
            self.ends[key] = tick
