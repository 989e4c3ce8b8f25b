"""Lines of music in ABC: notes, chords, rests, bar lines and what is attached to them (ABC 2.1, section 4)."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from rhythmd.sheets.formats.abc_notation.fields import SIGNS
from rhythmd.sheets.formats.abc_notation.voice import Pitch, Voice
from rhythmd.sheets.formats.bounds import RefusedFile, at_line, checked_written, printable
from rhythmd.sheets.formats.expression import ACCENT, STRONG_ACCENT
from rhythmd.sheets.formats.score import Score

__all__ = ["MusicReader"]

_LENGTH: Final = r"(\d{0,4})(/*)(\d{0,4})"
_PITCH: Final = r"(\^\^|\^|__|_|=)?([A-Ga-g])([',]*)"
_NOTE: Final = re.compile(rf"{_PITCH}{_LENGTH}(\s*-)?")
_TOKEN: Final = re.compile(
    rf"""
    (?P<space>\s+|[`$*;?@\\)]|y\d*)
  | (?P<text>"[^"\n]*")
  | (?P<mark>![^!\n]{{1,40}}!|\+[A-Za-z.()<>^\d]{{1,40}}\+)
  | (?P<inline>\[[A-Za-z]:[^\]\n]*\])
  | (?P<bar>\.?(?:\[\||[:|])[:|\]]*(?:\s*\[?(?P<pass>\d[\d,\-]*))?)
  | (?P<ending>\[(?P<number>\d[\d,\-]*))
  | (?P<note>{_PITCH}{_LENGTH})
  | (?P<chord>\[(?P<inner>[^\]\n]*)\](?P<chord_length>\d{{0,4}}/*\d{{0,4}}))
  | (?P<rest>[zx](?P<rest_length>\d{{0,4}}/*\d{{0,4}}))
  | (?P<bars>[ZX](?P<count>\d{{0,3}}))
  | (?P<tuplet>\((?P<p>\d{{1,2}})(?::(?P<q>\d{{0,2}})(?::(?P<r>\d{{0,2}}))?)?)
  | (?P<grace>\{{/?(?P<graces>[^}}\n]*)\}})
  | (?P<tie>-)
  | (?P<broken>[<>]+)
  | (?P<slur>[(!])
  | (?P<overlay>&)
  | (?P<symbol>[~.H-Wh-w])
    """,
    re.VERBOSE,
)

# What the letters stand for unless U: says otherwise.
_SYMBOLS: Final = {
    "~": "roll", ".": "staccato", "H": "fermata", "L": "accent", "M": "lowermordent", "O": "coda", "P": "uppermordent",
    "S": "segno", "T": "trill", "u": "upbow", "v": "downbow", "R": "roll", "J": "slide",
}  # fmt: skip
_ORNAMENTS: Final = frozenset({
    "trill", "trill(", "lowermordent", "uppermordent", "mordent", "pralltriller", "roll", "turn", "turnx", "slide",
    "invertedturn", "invertedturnx",
})  # fmt: skip
_BOOSTS: Final = {"accent": ACCENT, ">": ACCENT, "emphasis": ACCENT, "marcato": STRONG_ACCENT, "^": STRONG_ACCENT}
_GATES: Final = {"staccato": 0.5, "wedge": 0.25}
_HAIRPINS: Final = {"crescendo(": 1, "<(": 1, "cresc(": 1, "diminuendo(": -1, ">(": -1, "dim(": -1}
_HAIRPIN_ENDS: Final = frozenset({"crescendo)", "<)", "diminuendo)", ">)", "cresc)", "dim)"})
_SIGNS: Final = {
    "segno": "segno", "coda": "coda", "fine": "fine", "dacapo": "capo", "d.c.": "capo", "d.c.alfine": "capo",
    "d.c.alcoda": "capo", "d.s.": "dal", "d.s.alfine": "dal", "d.s.alcoda": "dal", "dacoda": "to_coda",
    "tocoda": "to_coda", "to coda": "to_coda", "da capo": "capo", "dal segno": "dal",
}  # fmt: skip
_DOUBLE_BARS: Final = ("||", "|]", "[|")
_DEFAULT_TUPLETS: Final = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_MAX_ENDING: Final = 99
_MAX_BARS: Final = 200
_MAX_BROKEN: Final = 4
_MAX_TUPLETS: Final = 4
_MAX_SLASHES: Final = 8
_ATTACHED: Final = frozenset({"space", "text", "mark", "symbol", "slur", "tie", "rest"})  # may stand within a chord


class MusicReader:
    """Reads lines of music into voices.

    Args:
        score: of the tune.
        inline: takes a field within music, with its line, letter and value; returns the voice that goes on.

    Attributes:
        metre: beats and beat type in force, for rests of whole bars and tuplets.
    """

    def __init__(self, score: Score, inline: Callable[[int, str, str], Voice]) -> None:
        self._score = score
        self._inline = inline
        self._symbols = dict(_SYMBOLS)
        self.metre: tuple[int, int] | None = None
        self._line = 0
        self._kinds: dict[str, Callable[[re.Match[str], Voice], None]] = {
            "text": self._text, "mark": self._mark, "bar": self._bar, "ending": self._ending, "note": self._note,
            "chord": self._chord, "rest": self._rest, "bars": self._bars, "tuplet": self._tuplet, "grace": self._grace,
            "tie": self._tie, "broken": self._broken, "overlay": self._overlay, "symbol": self._symbol,
        }  # fmt: skip

    def define(self, letter: str, decoration: str) -> None:
        """Let a letter stand for a decoration."""
        self._symbols[letter] = decoration

    def read_line(self, line: int, text: str, voice: Voice) -> None:
        """Read a line of music into `voice`, or the voices that it names.

        Raises:
            RefusedFile: something in it is unknown.
        """
        self._line = line
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._unknown(text[position])
            position = match.end()
            if match.lastgroup == "inline":
                voice = self._inline(line, match[0][1], match[0][3:-1])
            elif take := self._kinds.get(match.lastgroup or ""):
                take(match, voice)

    def finish(self, voice: Voice) -> None:
        """End the last bar of a voice."""
        self._settle_signs(voice)
        voice.leave()

    def _unknown(self, character: str) -> RefusedFile:
        what = "note letter" if character.isascii() and character.isalpha() else "character"
        return at_line(self._line, f"unknown {what} {printable(character)}")

    def _text(self, match: re.Match[str], _voice: Voice) -> None:
        if match[0][1:2] in "ABCDEFG" and len(match[0]) > 2:
            self._score.left_out["chord symbols"] += 1

    def _symbol(self, match: re.Match[str], voice: Voice) -> None:
        name = self._symbols.get(match[0])
        if name is None:
            self._score.left_out["letters that no U: defines"] += 1
        else:
            self._decorate(name, voice)

    def _mark(self, match: re.Match[str], voice: Voice) -> None:
        self._decorate(match[0][1:-1], voice)

    def _decorate(self, decoration: str, voice: Voice) -> None:
        name, expression = decoration.strip().lower(), voice.part.expression
        time = voice.time + voice.cursor
        voice.boost = max(voice.boost, _BOOSTS.get(name, 0))
        voice.gate = min(voice.gate, _GATES.get(name, 1.0))
        if name in _SIGNS:
            voice.signs.append(_SIGNS[name])
        elif name in _HAIRPINS:
            expression.open_hairpin(time, "1", _HAIRPINS[name])
        elif name in _HAIRPIN_ENDS:
            expression.close_hairpin(time, "1")
        elif name in _ORNAMENTS:
            self._score.left_out["ornaments are played as plain notes"] += 1
        elif name == "fermata":
            self._score.left_out["fermatas last no longer than written"] += 1
        elif name == "arpeggio":
            self._score.left_out["arpeggios are played as chords"] += 1
        else:
            expression.mark(time, name)

    def _begin(self, voice: Voice) -> None:
        voice.enter()
        self._settle_signs(voice)

    def _settle_signs(self, voice: Voice) -> None:
        """Let signs count for the bar that their voice is in, or was in before a bar line."""
        if voice.number < 0:
            return
        for sign in voice.signs:
            if sign == "segno":
                voice.bar.segno = True
            elif sign == "coda":
                voice.bar.coda = True
            elif sign == "to_coda":
                voice.bar.to_coda = True
            elif sign == "fine":
                voice.bar.fine = True
            else:
                voice.bar.jump = "capo" if sign == "capo" else "segno"
        voice.signs.clear()

    def _bar(self, match: re.Match[str], voice: Voice) -> None:
        run = re.sub(r"[^:|\[\]]|\[?\d.*", "", match["bar"])
        if run == ":":
            raise self._unknown(":")
        self._count(1)
        self._settle_signs(voice)
        voice.leave()
        colons = len(run) - len(run.lstrip(":"))
        if colons and voice.number >= 0:
            voice.bar.repeat_end = max(voice.bar.repeat_end, 1 + (colons if "|" in run else 1))
        if ":" in run or any(bar in run for bar in _DOUBLE_BARS):
            voice.endings = frozenset()
        voice.repeats |= run.endswith(":")
        if match["pass"]:
            voice.endings = self._passes(match["pass"])

    def _ending(self, match: re.Match[str], voice: Voice) -> None:
        voice.leave()
        voice.endings = self._passes(match["number"])

    def _passes(self, text: str) -> frozenset[int]:
        passes: set[int] = set()
        for first, last in re.findall(r"(\d{1,4})(?:-(\d{1,4}))?", text):
            if not 1 <= int(first) <= int(last or first) <= _MAX_ENDING:
                raise at_line(self._line, f"the ending {printable(text)} is not of 1 to {_MAX_ENDING}")
            passes.update(range(int(first), int(last or first) + 1))
        return frozenset(passes)

    def _note(self, match: re.Match[str], voice: Voice) -> None:
        self._begin(voice)
        found = _NOTE.match(match["note"])
        if found is not None:
            self._count(1)
            voice.sound(self._line, [_pitch(found)], [self._length(found.groups()[3:6])], Fraction(1))

    def _chord(self, match: re.Match[str], voice: Voice) -> None:
        self._begin(voice)
        notes = self._notes_in(match["inner"], voice)
        if not notes:
            raise at_line(self._line, "a chord has no notes")
        lengths = [self._length(note.groups()[3:6]) for note in notes]
        voice.sound(self._line, [_pitch(note) for note in notes], lengths, self._length_of(match["chord_length"]))
        for note in notes:
            if note[7]:
                voice.tie(_pitch(note))

    def _notes_in(self, text: str, voice: Voice) -> list[re.Match[str]]:
        """The notes within a chord or among grace notes; what is attached to them is taken for the whole."""
        notes: list[re.Match[str]] = []
        position = 0
        while position < len(text):
            if found := _NOTE.match(text, position):
                notes.append(found)
                position = found.end()
                continue
            other = _TOKEN.match(text, position)
            if other is None or other.lastgroup not in _ATTACHED:
                raise self._unknown(text[position])
            if other.lastgroup != "rest" and (take := self._kinds.get(other.lastgroup)):
                take(other, voice)
            position = other.end()
        self._count(len(notes))
        return notes

    def _grace(self, match: re.Match[str], voice: Voice) -> None:
        self._begin(voice)
        for chord, rest in re.findall(r"\[([^\]]*)\][\d/]*|([^\[]+)", match["graces"]):
            if chord:
                voice.grace(self._line, [_pitch(note) for note in self._notes_in(chord, voice)])
            for note in self._notes_in(rest, voice):
                voice.grace(self._line, [_pitch(note)])

    def _rest(self, match: re.Match[str], voice: Voice) -> None:
        self._begin(voice)
        self._count(1)
        voice.rest(self._length_of(match["rest_length"]))

    def _bars(self, match: re.Match[str], voice: Voice) -> None:
        count = int(match["count"] or 1)
        if not 1 <= count <= _MAX_BARS:
            raise at_line(self._line, f"a rest of {count} bars is not of 1 to {_MAX_BARS}")
        beats, beat_type = self.metre or (4, 4)
        for number in range(count):
            if number:
                voice.leave()
            self._begin(voice)
            voice.rest(Fraction(4 * beats, beat_type) / voice.unit)

    def _tuplet(self, match: re.Match[str], voice: Voice) -> None:
        beats, beat_type = self.metre or (4, 4)
        default = 3 if beat_type >= 8 and beats % 3 == 0 else 2
        notes = int(match["p"])
        time = int(match["q"]) if match["q"] else _DEFAULT_TUPLETS.get(notes, default)
        count = int(match["r"]) if match["r"] else notes
        if not notes or not time or not count:
            raise at_line(self._line, f"{printable(match[0])} is no tuplet")
        if len(voice.tuplets) >= _MAX_TUPLETS:
            raise at_line(self._line, f"tuplets are nested more than {_MAX_TUPLETS} deep")
        voice.tuplet(Fraction(time, notes), count)

    def _tie(self, _match: re.Match[str], voice: Voice) -> None:
        voice.tie()

    def _broken(self, match: re.Match[str], voice: Voice) -> None:
        marks = match["broken"]
        if len(set(marks)) > 1 or len(marks) > _MAX_BROKEN or not voice.broken_rhythm(marks):
            raise at_line(self._line, f"{printable(marks)} is no broken rhythm between two notes")

    def _overlay(self, _match: re.Match[str], voice: Voice) -> None:
        self._begin(voice)
        voice.overlay()

    def _count(self, notes: int) -> None:
        self._score.written = checked_written(self._line, self._score.written + notes)

    def _length_of(self, text: str) -> Fraction:
        match = re.fullmatch(_LENGTH, text)
        return self._length(match.groups() if match else ())

    def _length(self, parts: tuple[str, ...]) -> Fraction:
        """A length as digits, slashes and digits: `3/2`, `/`, `//`."""
        number, slashes, divisor = parts or ("0", "", "")
        below = int(divisor) if divisor else 2 ** min(len(slashes), _MAX_SLASHES)
        above = int(number or 1)
        if not above or not below or len(slashes) > _MAX_SLASHES or (divisor and len(slashes) != 1):
            raise at_line(self._line, f"{printable(''.join(parts))} is no length")
        return Fraction(above, below)


def _pitch(match: re.Match[str]) -> Pitch:
    """The pitch of a match of `_NOTE`: accidental, letter, octave marks."""
    accidental, letter, marks = match.groups()[:3]
    octave = int(letter.islower()) + marks.count("'") - marks.count(",")
    return Pitch(SIGNS[accidental] if accidental else None, letter.upper(), octave)
