"""Black MIDI, made up: files with more notes than anybody could play. The same seed makes the same bytes."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from mido import Message, MetaMessage, MidiFile, MidiTrack

__all__ = ["PIECES", "Piece", "write"]

_TICKS_A_QUARTER: Final = 480
_TICKS_A_SECOND: Final = 2 * _TICKS_A_QUARTER  # 120 quarters a minute
_CHANNELS: Final = 16
_KEYS: Final = 128
_SHORT_S: Final = 0.15


class Piece(NamedTuple):
    """How dense a piece is.

    Args:
        what: in a sentence.
        notes_per_s: runs, evenly.
        wall: notes that begin in one tick.
        walls_per_s: how often that is.
        bends_per_s: pitch bends and controllers of all channels.
    """

    what: str
    notes_per_s: int
    wall: int
    walls_per_s: float
    bends_per_s: int = 0


PIECES: Final = {
    "runs": Piece("12,000 notes a minute, and a chord of 200 notes each second", 200, 200, 1.0),
    "walls": Piece("800 notes in one tick, twice a second", 100, 800, 2.0),
    "rush": Piece("200,000 notes a minute, and a chord of 300 notes each second", 3_300, 300, 1.0),
    "glide": Piece("60,000 notes a minute, with 500 bends and pedals a second", 1_000, 100, 1.0, 500),
}


class _Clavier:
    """Keys of all channels, taken in turn, so that none is pressed twice before it is released."""

    def __init__(self, random: Random) -> None:
        self._keys = [(channel, key) for channel in range(_CHANNELS) for key in range(_KEYS)]
        random.shuffle(self._keys)
        self._next = 0

    def take(self) -> tuple[int, int]:
        self._next = (self._next + 1) % len(self._keys)
        return self._keys[self._next]


def _notes(piece: Piece, seconds: float, random: Random) -> Iterator[tuple[int, Message]]:
    """Each message with its tick."""
    clavier = _Clavier(random)
    begins = [number / piece.notes_per_s for number in range(int(seconds * piece.notes_per_s))]
    for number in range(int(seconds * piece.walls_per_s)):
        begins += [number / piece.walls_per_s] * piece.wall
    for begin in sorted(begins):
        channel, key = clavier.take()
        tick, end = round(begin * _TICKS_A_SECOND), round((begin + _SHORT_S) * _TICKS_A_SECOND)
        yield tick, Message("note_on", channel=channel, note=key, velocity=random.randint(1, 127))
        yield end, Message("note_off", channel=channel, note=key)


def _bends(piece: Piece, seconds: float, random: Random) -> Iterator[tuple[int, Message]]:
    for number in range(int(seconds * piece.bends_per_s)):
        tick, channel = round(number / piece.bends_per_s * _TICKS_A_SECOND), number % _CHANNELS
        if number % 10:
            yield tick, Message("pitchwheel", channel=channel, pitch=random.randint(-8_192, 8_191))
        else:
            yield tick, Message("control_change", channel=channel, control=64, value=random.choice((0, 127)))
    # Nothing is left that the server would have to release.
    for channel in range(_CHANNELS if piece.bends_per_s else 0):
        yield round((seconds + _SHORT_S) * _TICKS_A_SECOND), Message("pitchwheel", channel=channel, pitch=0)
        yield round((seconds + _SHORT_S) * _TICKS_A_SECOND), Message("control_change", channel=channel, control=64)


def write(path: Path, name: str, seconds: float, seed: int = 1) -> int:
    """Write the piece of that name as a standard MIDI file; how many events it has."""
    piece, random = PIECES[name], Random(f"{seed} {name}")
    timed = [*_notes(piece, seconds, random), *_bends(piece, seconds, random)]
    timed.sort(key=lambda item: item[0])
    track, now = MidiTrack([MetaMessage("set_tempo", tempo=500_000)]), 0
    for tick, message in timed:
        track.append(message.copy(time=tick - now))
        now = tick
    file = MidiFile(type=0, ticks_per_beat=_TICKS_A_QUARTER)
    file.tracks.append(track)
    file.save(path)
    return len(timed)
