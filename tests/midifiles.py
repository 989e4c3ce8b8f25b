"""MIDI files as mido, which had no part in writing them, reads them."""

import io
from typing import NamedTuple

from mido import MidiFile, MidiTrack

from tests.hub.synthesizer import Synthesizer

__all__ = ["Track", "parse", "rings"]

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


def _track(track: MidiTrack) -> Track:
    events: list[tuple[int, Message]] = []
    now = 0
    for message in track:
        now += message.time
        if not message.is_meta:
            status, data1, data2 = (*message.bytes(), 0)[:3]
            events.append((now, (status, data1, data2)))
    return Track(str(track.name), events)


def rings(track: Track) -> bool:
    """Whether something sounds on after the end."""
    synthesizer = Synthesizer()
    synthesizer.play(track.messages)
    return synthesizer.rings
