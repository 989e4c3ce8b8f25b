"""Make the MIDI files beside this script from music21's corpus; README.md says how to run it.

Each part of a score becomes a track on its own channel, at a fixed tempo; every note has its on and off.
Pitches are those that sound, not those written for a transposing instrument.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from mido import Message, MetaMessage, MidiFile, MidiTrack, bpm2tempo
from music21 import corpus
from music21.stream import Part, Score

TICKS_PER_QUARTER = 480
VELOCITY = 72


@dataclass(frozen=True)
class Piece:
    """A work of the corpus, from `first_bar` to its end, and the tempo to play it at."""

    work: str
    file: str
    title: str
    first_bar: int
    quarters_per_minute: float


PIECES = (
    Piece("bach/bwv269", "bach-chorale-bwv269.mid", "J. S. Bach: Aus meines Herzens Grunde, BWV 269", 0, 84),
    Piece(
        "weber/concertino_clarinet",
        "weber-concertino-op26-allegro.mid",
        "C. M. von Weber: Concertino, op. 26, Allegro",
        185,
        150,
    ),
)


@dataclass(frozen=True)
class Note:
    """A key and when it is down, in ticks from the start of the piece."""

    start: int
    stop: int
    key: int


def notes_of(part: Part) -> Iterator[Note]:
    """The part's notes, ties merged, grace notes left out, in order of their start."""
    for element in part.stripTies().flatten().notes:
        if element.duration.isGrace:
            continue
        start = round(Fraction(element.offset) * TICKS_PER_QUARTER)
        stop = round(Fraction(element.offset + element.quarterLength) * TICKS_PER_QUARTER)
        for pitch in sorted({pitch.midi for pitch in element.pitches}):
            yield Note(start, stop, pitch)


def without_overlaps(notes: list[Note]) -> list[Note]:
    """Two voices of one part can hold the same key: the earlier note ends where the later begins."""
    by_key: dict[int, list[Note]] = {}
    for note in sorted(notes, key=lambda note: (note.start, -note.stop)):
        held = by_key.setdefault(note.key, [])
        if held and held[-1].start == note.start:
            continue
        if held and held[-1].stop > note.start:
            held[-1] = Note(held[-1].start, note.start, note.key)
        held.append(note)
    return [note for held in by_key.values() for note in held]


def track_of(name: str, channel: int, notes: list[Note]) -> MidiTrack:
    """One track. At equal times offs come before ons, so that a repeated key sounds again."""
    moments = [(note.stop, 0, note.key) for note in notes] + [(note.start, 1, note.key) for note in notes]
    track = MidiTrack([MetaMessage("track_name", name=name)])
    now = 0
    for tick, is_on, key in sorted(moments):
        kind, velocity = ("note_on", VELOCITY) if is_on else ("note_off", 0)
        track.append(Message(kind, channel=channel, note=key, velocity=velocity, time=tick - now))
        now = tick
    return track


def shifted(notes: list[Note], ticks: int) -> list[Note]:
    return [Note(note.start - ticks, note.stop - ticks, note.key) for note in notes]


def make(piece: Piece) -> MidiFile:
    """The piece as a format 1 file: a tempo track, then one track a part."""
    score = corpus.parse(piece.work)
    assert isinstance(score, Score)
    sounding = score.toSoundingPitch()
    parts = [part.measures(piece.first_bar, None) for part in sounding.parts]
    played = [without_overlaps(list(notes_of(part))) for part in parts]
    origin = min(note.start for notes in played for note in notes)
    file = MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    tempo = MetaMessage("set_tempo", tempo=bpm2tempo(piece.quarters_per_minute))
    file.tracks.append(MidiTrack([MetaMessage("track_name", name=piece.title), tempo]))
    for channel, (part, notes) in enumerate(zip(parts, played, strict=True)):
        file.tracks.append(track_of(part.partName or f"Part {channel + 1}", channel, shifted(notes, origin)))
    return file


def main() -> None:
    for piece in PIECES:
        file = make(piece)
        file.save(Path(__file__).with_name(piece.file))
        notes = sum(message.type == "note_on" for track in file.tracks for message in track)
        print(f"{piece.file}: {notes} notes, {file.length:.1f} s")


if __name__ == "__main__":
    main()
