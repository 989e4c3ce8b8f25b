"""One voice of a tune while it is read: its place, its accidentals, and what the next note takes with it."""

from fractions import Fraction
from typing import Final

from msgspec import Struct, field

from rhythmd.sheets.formats.abc_notation.fields import Key
from rhythmd.sheets.formats.bounds import at_line
from rhythmd.sheets.formats.score import Bar, Note, Part, Score, ScoreMeasure, place_graces

__all__ = ["Pitch", "Voice"]

_LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MIDDLE_C: Final = 60
_MAX_OCTAVES: Final = 6


class Pitch(Struct, frozen=True):
    """A written pitch: its accidental, None if there is none, letter, and octaves above middle C's."""

    accidental: int | None
    letter: str
    octave: int


class _Tuplet(Struct):
    """A tuplet that has notes to come."""

    factor: Fraction
    remaining: int


class _Group(Struct):
    """The note, chord or rest that was read last: broken rhythm changes its length, a tie follows it."""

    start: Fraction
    length: Fraction
    notes: list[Note] = field(default_factory=list)
    pitches: list[Pitch] = field(default_factory=list)


class Voice(Struct):
    """A voice being read.

    Attributes:
        score, part: what is filled.
        unit: quarters of L:.
        shift: semitones from what is written to what sounds.
        number: index of the current bar; `bar` and `measure` are what it and the voice have there, if it is begun.
        cursor, reach: quarters from the bar's beginning, and the farthest that was reached.
        accidentals: of this bar, by letter.
        layer: of the bar: 0, or how many overlays were begun before what is read.
        ties: for each layer, keys that go on from its last group, by letter and octave.
        broken: factor of the next group's length, from broken rhythm.
        endings: passes of the ending that is open.
        repeats: whether the next bar begins a repeated section.
        signs: marks of the next bar, or of the last one if a bar line comes first.
    """

    score: Score
    part: Part
    key: Key
    unit: Fraction
    shift: int = 0
    number: int = -1
    is_in_bar: bool = False
    bar: Bar = field(default_factory=Bar)
    measure: ScoreMeasure = field(default_factory=ScoreMeasure)
    time: Fraction = Fraction(0)
    cursor: Fraction = Fraction(0)
    reach: Fraction = Fraction(0)
    accidentals: dict[str, int] = field(default_factory=dict)
    layer: int = 0
    ties: list[dict[tuple[str, int], int]] = field(default_factory=lambda: [{}])
    tuplets: list[_Tuplet] = field(default_factory=list)
    broken: Fraction = Fraction(1)
    last: _Group | None = None
    graces: list[list[Note]] = field(default_factory=list)
    endings: frozenset[int] = frozenset()
    repeats: bool = False
    signs: list[str] = field(default_factory=list)
    gate: float = 1.0
    boost: int = 0

    def enter(self) -> Bar:
        """The current bar, begun if it is not yet."""
        if not self.is_in_bar:
            self.is_in_bar = True
            self.layer = 0
            self.number += 1
            self.bar = self.score.bar(self.number)
            self.measure = ScoreMeasure(start=self.time)
            self.part.measures.append(self.measure)
            self.cursor = self.reach = Fraction(0)
            self.bar.repeat_start |= self.repeats
            self.bar.endings |= self.endings
            self.repeats = False
        return self.bar

    def leave(self) -> None:
        """Leave the bar, which has at least this voice's length."""
        self.accidentals.clear()
        if self.is_in_bar:
            self.flush_graces()
            self.bar.length = max(self.bar.length, self.reach)
            self.time += self.reach
            self.cursor = self.reach = Fraction(0)
            self.is_in_bar = False
            del self.ties[self.layer + 1 :]  # layers that this bar does not have
        self.tuplets.clear()

    def overlay(self) -> None:
        """Go back to the bar's beginning, for another line of notes, with the ties from its place in the bar before."""
        self.cursor = Fraction(0)
        self.last = None
        self.layer += 1
        if self.layer == len(self.ties):
            self.ties.append({})

    def key_for(self, line: int, pitch: Pitch) -> int:
        """The MIDI key of a pitch, by signature, accidentals of the bar, and ties.

        Raises:
            RefusedFile: MIDI has no such key.
        """
        place = pitch.letter, pitch.octave
        if pitch.accidental is not None:
            self.accidentals[pitch.letter] = pitch.accidental
        elif place in self.ties[self.layer] and pitch.letter not in self.accidentals:
            return self.ties[self.layer][place]  # a tie keeps the accidental beyond the bar line
        semitones = self.accidentals.get(pitch.letter, self.key.alterations.get(pitch.letter, 0))
        key = _MIDDLE_C + 12 * pitch.octave + _LETTERS[pitch.letter] + semitones + self.shift
        if abs(pitch.octave) > _MAX_OCTAVES or not 0 <= key <= 127:
            raise at_line(line, "a note is outside MIDI's 128 keys")
        return key

    def sound(self, line: int, pitches: list[Pitch], lengths: list[Fraction], length: Fraction) -> None:
        """A note or a chord, for `length` units; each pitch has its own length beside that."""
        self.enter()
        scale = self._scale()
        start = self.cursor
        self.flush_graces()
        notes = [
            self._note(line, pitch, start, own * length * scale) for pitch, own in zip(pitches, lengths, strict=True)
        ]
        self.measure.notes += notes
        self.last = _Group(start, lengths[0] * length * scale, notes, pitches)
        self.ties[self.layer] = {}
        self._advance(self.last.length)
        self.gate, self.boost = 1.0, 0

    def rest(self, length: Fraction) -> None:
        """Silence for `length` units."""
        self.enter()
        self.flush_graces()
        self.last = _Group(self.cursor, length * self._scale())
        self.ties[self.layer] = {}
        self._advance(self.last.length)
        self.gate, self.boost = 1.0, 0

    def _scale(self) -> Fraction:
        """What units are multiplied by here: L:, tuplets and broken rhythm."""
        scale = self.unit * self.broken
        self.broken = Fraction(1)
        for tuplet in self.tuplets:
            scale *= tuplet.factor
            tuplet.remaining -= 1
        self.tuplets = [tuplet for tuplet in self.tuplets if tuplet.remaining > 0]
        return scale

    def _note(self, line: int, pitch: Pitch, start: Fraction, length: Fraction) -> Note:
        key = self.key_for(line, pitch)
        is_tied = self.ties[self.layer].get((pitch.letter, pitch.octave)) == key
        return Note(start, length, key, is_tied_back=is_tied, gate=self.gate, boost=self.boost)

    def _advance(self, length: Fraction) -> None:
        self.cursor += length
        self.reach = max(self.reach, self.cursor)

    def tie(self, of: Pitch | None = None) -> None:
        """Let the last group, or one pitch of it, go on in the next one."""
        if self.last is None:
            return
        for note, pitch in zip(self.last.notes, self.last.pitches, strict=True):
            if of is None or pitch == of:
                note.is_tied_on = True
                self.ties[self.layer][pitch.letter, pitch.octave] = note.key

    def tuplet(self, factor: Fraction, count: int) -> None:
        """Multiply the lengths of the next `count` groups."""
        self.tuplets.append(_Tuplet(factor, count))

    def broken_rhythm(self, marks: str) -> bool:
        """Dot the last group and shorten the next one, or the reverse; False if there is no last group."""
        if self.last is None:
            return False
        short = Fraction(1, 2 ** len(marks))
        long = 2 - short
        mine, self.broken = (long, short) if marks[0] == ">" else (short, long)
        before, longer = self.cursor, self.last.length * (mine - 1)
        for note in self.last.notes:
            note.length *= mine
        self.last.length += longer
        self.cursor += longer
        self.reach = self.cursor if self.reach == before else max(self.reach, self.cursor)
        return True

    def grace(self, line: int, pitches: list[Pitch]) -> None:
        """A grace note, or a chord of them, for the next main note."""
        self.graces.append([Note(Fraction(0), Fraction(0), self.key_for(line, pitch)) for pitch in pitches])

    def flush_graces(self) -> None:
        """Place the grace notes that wait before what is at the cursor."""
        if self.graces:
            self.measure.notes += place_graces(self.graces, self.cursor)
            self.graces = []
