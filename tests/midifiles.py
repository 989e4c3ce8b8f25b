"""MIDI files as mido, which had no part in writing them, reads them."""

import io
from typing import NamedTuple

from mido import MidiFile, MidiTrack, tick2second

from tests.hub.synthesizer import Synthesizer

__all__ = ["Bar", "Track", "parse", "parse_in_time", "rings"]

Message = tuple[int, int, int]
"""As on the wire: data 2 is 0 where MIDI has one data byte."""


class Track(NamedTuple):
    """A player's track: (ms, message) each."""

    name: str
    events: list[tuple[int, Message]]

    @property
    def messages(self) -> list[Message]:
        return [message for _, message in self.events]

    @property
    def times(self) -> list[int]:
        return [at_ms for at_ms, _ in self.events]


def parse(content: bytes) -> tuple[str, list[Track]]:
    """Title and tracks. A tick is a millisecond."""
    file = MidiFile(file=io.BytesIO(content), charset="utf-8")
    assert file.type == 1
    first, *others = file.tracks
    [tempo] = [message.tempo for message in first if message.type == "set_tempo"]
    assert file.ticks_per_beat * 1_000 == tempo
    return str(first.name), [_track(track) for track in others]


class Bar(NamedTuple):
    """A tempo and metre, from a time on, which is the beginning of a bar."""

    at_ms: float
    quarter_us: int
    metre: str


def parse_in_time(content: bytes) -> tuple[list[Bar], list[Track]]:
    """The tempos of a file that has a metre, and its tracks. Times are rounded to ms, as each event was on the wire."""
    file = MidiFile(file=io.BytesIO(content), charset="utf-8")
    first, *others = file.tracks
    marks: list[_Mark] = []
    tick = 0
    for message in first:
        tick += message.time
        if message.type == "set_tempo":
            marks.append(_Mark(tick, _seconds(marks, tick, file.ticks_per_beat) if marks else 0.0, message.tempo))
    bars: list[Bar] = []
    tick = 0
    for message in first:
        tick += message.time
        if message.type == "time_signature":
            tempo = next(mark.tempo for mark in reversed(marks) if mark.tick <= tick)
            at_ms = 1_000 * _seconds(marks, tick, file.ticks_per_beat)
            bars.append(Bar(at_ms, tempo, f"{message.numerator}/{message.denominator}"))
    return bars, [_track(track, marks, file.ticks_per_beat) for track in others]


class _Mark(NamedTuple):
    """A tempo: from which tick on, when that is, and the length of a quarter in us."""

    tick: int
    seconds: float
    tempo: int


def _seconds(marks: list[_Mark], tick: int, ticks_per_beat: int) -> float:
    """When a tick is, counted from the tempo that is in force there."""
    mark = next(mark for mark in reversed(marks) if mark.tick <= tick)
    return mark.seconds + float(tick2second(tick - mark.tick, ticks_per_beat, mark.tempo))


def _track(track: MidiTrack, marks: list[_Mark] | None = None, ticks_per_beat: int = 0) -> Track:
    events: list[tuple[int, Message]] = []
    tick = 0
    for message in track:
        tick += message.time
        if not message.is_meta:
            status, data1, data2 = (*message.bytes(), 0)[:3]
            at_ms = tick if marks is None else round(1_000 * _seconds(marks, tick, ticks_per_beat))
            events.append((at_ms, (status, data1, data2)))
    return Track(str(track.name), events)


def rings(track: Track) -> bool:
    """Whether something sounds on after the end."""
    synthesizer = Synthesizer()
    synthesizer.play(track.messages)
    return synthesizer.rings
