"""What tests see of an analysed file: its facts, and the notes of its MIDI as mido reads them."""

import io
from typing import Final, NamedTuple

from mido import MidiFile, MidiTrack

from rhythmd.rows import ScoreFacts
from rhythmd.sheets.formats.analysis import analyse
from rhythmd.sheets.formats.bounds import RefusedFile

__all__ = ["Heard", "Music", "facts_of", "hear", "listen", "refusal"]

# Names of the octave of middle C, with which the tests write what they expect.
_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Heard(NamedTuple):
    """A note: its beginning and length in quarters, name (middle C is C4) and velocity."""

    start: float
    length: float
    name: str
    velocity: int


class Music(NamedTuple):
    """A MIDI file: the notes of each track that has some, and each tempo with the quarter at which it begins."""

    tracks: list[list[Heard]]
    tempos: list[tuple[float, float]]
    file: MidiFile

    @property
    def melody(self) -> str:
        """The only track, as "start name length" each."""
        [track] = self.tracks
        return self.line(track)

    @staticmethod
    def line(track: list[Heard]) -> str:
        return ", ".join(f"{note.start:g} {note.name} {note.length:g}" for note in track)


def listen(content: bytes | str) -> tuple[ScoreFacts, Music]:
    """The facts of a file and its music."""
    midi = io.BytesIO()
    facts = analyse(io.BytesIO(content.encode() if isinstance(content, str) else content), midi)
    midi.seek(0)
    return facts, _music(MidiFile(file=midi, charset="latin-1"))


def hear(content: bytes | str) -> Music:
    return listen(content)[1]


def facts_of(content: bytes | str) -> ScoreFacts:
    return listen(content)[0]


def refusal(content: bytes | str) -> str:
    """Why a file is refused, which it must be."""
    try:
        facts, music = listen(content)
    except RefusedFile as refused:
        return refused.reason
    raise AssertionError(f"it was taken: {facts}, {music}")


def _music(file: MidiFile) -> Music:
    tempos = [
        (tick / file.ticks_per_beat, round(60_000_000 / message.tempo, 2))
        for track in file.tracks
        for tick, message in _timed(track)
        if message.type == "set_tempo"
    ]
    tracks = [_notes(track, file.ticks_per_beat) for track in file.tracks]
    return Music([track for track in tracks if track], tempos, file)


def _timed(track: MidiTrack) -> list[tuple[int, MidiTrack]]:
    now, timed = 0, []
    for message in track:
        now += message.time
        timed.append((now, message))
    return timed


def _notes(track: MidiTrack, ticks_per_quarter: int) -> list[Heard]:
    down: dict[tuple[int, int], tuple[int, int]] = {}
    notes: list[Heard] = []
    for tick, message in _timed(track):
        if message.type not in ("note_on", "note_off"):
            continue
        place = message.channel, message.note
        if message.type == "note_on" and message.velocity:
            assert place not in down, "a key is pressed that is down"
            down[place] = tick, message.velocity
        else:
            start, velocity = down.pop(place)
            notes.append(_heard(start, tick, message.note, velocity, ticks_per_quarter))
    assert down == {}, "a key is never released"
    return sorted(notes)


def _heard(start: int, end: int, key: int, velocity: int, ticks_per_quarter: int) -> Heard:
    name = f"{_NAMES[key % 12]}{key // 12 - 1}"
    return Heard(round(start / ticks_per_quarter, 3), round((end - start) / ticks_per_quarter, 3), name, velocity)
