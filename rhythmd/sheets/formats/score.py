"""A score as it is written, in bars, before repeats are played: what MusicXML and ABC have in common.

Times are quarters as fractions, counted from the beginning of their bar. Bars are those of all parts together: a part
that has nothing in one has an empty list there.
"""

from collections import Counter
from fractions import Fraction
from typing import Final

from msgspec import Struct, field

from rhythmd.sheets.formats.bounds import MAX_WRITTEN_BARS, RefusedFile
from rhythmd.sheets.formats.expression import Expression

__all__ = ["DRUMS", "Bar", "Note", "Part", "Score", "ScoreMeasure", "place_graces"]

DRUMS: Final = 9
"""The channel of the drums in General MIDI, counted from 0."""

_GRACE: Final = Fraction(1, 8)
_GRACES: Final = Fraction(1)  # quarters that all grace notes before one note take together, at most


class Note(Struct):
    """A note in a bar.

    Attributes:
        start, length: in quarters; a grace note may start before its bar.
        key: as it sounds.
        is_tied_back, is_tied_on: whether it goes on from the note before, and whether the next one goes on from it.
        gate: the share of its length that sounds.
        boost: what an accent adds to the velocity.
        staff: number of the hand or voice within the part, the first being 1.
    """

    start: Fraction
    length: Fraction
    key: int
    is_tied_back: bool = False
    is_tied_on: bool = False
    gate: float = 1.0
    boost: int = 0
    staff: int = 1


class Bar(Struct):
    """What a bar says to all parts.

    Attributes:
        length: in quarters, of the longest part that has notes.
        silence: in quarters, of the longest part that has only rests: programs write any length for those.
        repeat_start: a repeated section begins here.
        repeat_end: how often a section that ends here is played; 0 if none does.
        repeats_after_jump: whether that counts after a jump, too.
        endings: the passes in which this bar is played; empty for all.
        segno, coda: where jumps go to.
        jump: "capo" or "segno" if the piece goes on there after this bar, else empty.
        to_coda: after a jump, the piece goes on at the coda after this bar.
        fine: after a jump, the piece ends after this bar.
        tempos: place in the bar and quarters a minute of each change.
        metre: beats and beat type, where they change.
        key: sharps (flats are negative) and whether it is minor, where that changes.
    """

    length: Fraction = Fraction(0)
    silence: Fraction = Fraction(0)
    repeat_start: bool = False
    repeat_end: int = 0
    repeats_after_jump: bool = False
    endings: frozenset[int] = frozenset()
    segno: bool = False
    coda: bool = False
    jump: str = ""
    to_coda: bool = False
    fine: bool = False
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    metre: tuple[int, int] | None = None
    key: tuple[int, bool] | None = None


class ScoreMeasure(Struct):
    """What one part has in one bar.

    Attributes:
        start: quarters from the part's beginning, as written: the time of the part's dynamics.
        pedal: places in the bar, each with a value of the sustain pedal.
    """

    start: Fraction = Fraction(0)
    notes: list[Note] = field(default_factory=list)
    pedal: list[tuple[Fraction, int]] = field(default_factory=list)


class Part(Struct):
    """One instrument: its measures in the order of the score's bars, and how loud it is where."""

    name: str
    program: int | None = None
    is_drums: bool = False
    measures: list[ScoreMeasure] = field(default_factory=list)
    expression: Expression = field(default_factory=Expression)


class Score(Struct):
    """A whole piece.

    Attributes:
        sections: first bar, and bar after the last, of what is played one after the other; empty for all.
        written: notes and rests as far as they are read.
        left_out: counts what is written and does not sound, by the words of the remark.
    """

    title: str = ""
    composer: str = ""
    key: str = ""
    time_signature: str = ""
    bars: list[Bar] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    sections: list[tuple[int, int]] = field(default_factory=list)
    written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def bar(self, number: int) -> Bar:
        """The bar with this index, made if the score does not reach so far.

        Raises:
            RefusedFile: a score has no so many bars.
        """
        if number >= MAX_WRITTEN_BARS:
            raise RefusedFile(f"it has more than {MAX_WRITTEN_BARS:,} bars")
        while len(self.bars) <= number:
            self.bars.append(Bar())
        return self.bars[number]

    @property
    def tempo(self) -> float:
        """Quarters a minute of the first tempo that is written, of several at its place the last; 0 without any."""
        tempos = next((bar.tempos for bar in self.bars if bar.tempos), [])
        return next((tempo for at, tempo in reversed(tempos) if at == tempos[0][0]), 0.0)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What does not sound, and how often it is written."""
        return tuple(f"{what} ({count})" for what, count in sorted(self.left_out.items()))


def place_graces(groups: list[list[Note]], start: Fraction) -> list[Note]:
    """The grace notes before the note at `start`, each group a note or a chord: 32nds, shorter where there are many."""
    length = min(_GRACE, _GRACES / len(groups)) if groups else _GRACE
    for number, group in enumerate(groups):
        for note in group:
            note.start, note.length = start - (len(groups) - number) * length, length
    return [note for group in groups for note in group]
