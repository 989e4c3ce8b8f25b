"""Where the reader of one part stands, from one measure to the next."""

from fractions import Fraction

from msgspec import Struct, field

from rhythmd.sheets.formats.score import Bar, Note, Part, Score, ScoreMeasure

__all__ = ["Instrument", "PartState", "WordTempos"]

WordTempos = dict[tuple[int, Fraction], float]
"""Tempos that only words give, by bar and place: a number at the same place is better."""


class Instrument(Struct):
    """What the part list says of one instrument: General MIDI program and drum key from 0, if it says them."""

    program: int | None = None
    drum_key: int | None = None
    is_drums: bool = False


class PartState(Struct):
    """A part being read.

    Attributes:
        score, part: what is filled.
        instruments: of the part, by id.
        word_tempos: of the whole score.
        number: index of the current bar; `bar` and `measure` are what it and the part have there.
        cursor: quarters from the bar's beginning; `reach` is the farthest it has been.
        chord_start: where the last note began, and notes of its chord do.
        divisions: of a quarter in durations.
        transpositions: semitones by staff; staff 0 stands for those that are not named.
        metre: beats and beat type in force.
        endings: passes of the ending that is open; `has_ending_end` if it ends with this bar.
        graces: grace notes that wait for their main note, in chords.
    """

    score: Score
    part: Part
    instruments: dict[str, Instrument]
    word_tempos: WordTempos
    number: int = -1
    bar: Bar = field(default_factory=Bar)
    measure: ScoreMeasure = field(default_factory=ScoreMeasure)
    time: Fraction = Fraction(0)
    cursor: Fraction = Fraction(0)
    reach: Fraction = Fraction(0)
    chord_start: Fraction = Fraction(0)
    divisions: Fraction = Fraction(1)
    transpositions: dict[int, int] = field(default_factory=dict)
    metre: tuple[int, int] | None = None
    endings: frozenset[int] = frozenset()
    has_ending_end: bool = False
    graces: list[list[Note]] = field(default_factory=list)

    def begin_measure(self) -> None:
        """Go to the next bar."""
        self.number += 1
        self.bar = self.score.bar(self.number)
        self.measure = ScoreMeasure(start=self.time)
        self.part.measures.append(self.measure)
        self.cursor = self.reach = self.chord_start = Fraction(0)

    def end_measure(self) -> None:
        """Leave the bar, which has at least this part's length."""
        self.bar.endings |= self.endings
        if self.has_ending_end:
            self.endings, self.has_ending_end = frozenset(), False
        if self.measure.notes:
            self.bar.length = max(self.bar.length, self.reach)
        else:
            self.bar.silence = max(self.bar.silence, self.reach)
        self.time += self.reach

    def move(self, quarters: Fraction) -> None:
        """Move the cursor; a step back ends at the bar's beginning."""
        self.cursor = max(Fraction(0), self.cursor + quarters)
        self.reach = max(self.reach, self.cursor)

    def leave_out(self, what: str) -> None:
        """Count something that is written and does not sound."""
        self.score.left_out[what] += 1

    def take_tempo(self, at: Fraction, tempo: float) -> None:
        """Quarters a minute from this place in the bar on."""
        if (at, tempo) not in self.bar.tempos[-4:]:
            self.bar.tempos.append((at, tempo))

    def take_tempo_words(self, at: Fraction, tempo: float) -> None:
        """The tempo that words stand for; in compound time its beat is a dotted quarter."""
        beats, beat_type = self.metre or (4, 4)
        is_compound = beat_type >= 8 and beats > 3 and beats % 3 == 0
        self.word_tempos.setdefault((self.number, at), tempo * 1.5 if is_compound else tempo)

    def transposition(self, staff: int) -> int:
        """Semitones from what is written to what sounds."""
        return self.transpositions.get(staff, self.transpositions.get(0, 0))
