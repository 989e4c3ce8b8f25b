"""Virtual Piano sheets: text in which a character is a key of virtualpiano.net's 61, from 1 (C2) to m (C7).

Nobody has written the timing down; these are the rules here. A *step* is a sixteenth at the sheet's tempo (120, if no
line says another).

- A key, or `[keys]` together, is a note or a chord of one step; the next one begins one step later.
- White space makes what stands before it a step longer, however much of it there is: `asdf` runs in sixteenths,
  `a s d f` in eighths.
- `-`, `.` or `_` makes it a step longer each, `|` is a rest of two steps.
- `[a s d]`, with spaces inside, is a run in 32nds.
- Lines at the top may say `Title:`, `Artist:` or `Composer:`, `Tempo:` or `BPM:`, and `Transpose:` (semitones). A line
  that begins with `#` or `//` is a comment.
"""

import re
from typing import Final

from msgspec import Struct, field

from rhythmd.rows import ScoreFacts, SheetCategory
from rhythmd.sheets.formats.bounds import (
    RefusedFile,
    at_line,
    checked_tempo,
    checked_written,
    numbered_lines,
    printable,
    tidy,
)
from rhythmd.sheets.formats.performance import TICKS_PER_QUARTER, Performance, Sounding, Track

__all__ = ["read_virtual_piano"]

# From C2 up, a semitone each.
_LAYOUT: Final = "1!2@34$5%6^78*9(0qQwWeErtTyYuiIoOpPasSdDfgGhHjJklLzZxcCvVbBnm"
_LOWEST: Final = 36
_KEYS: Final = {character: _LOWEST + number for number, character in enumerate(_LAYOUT)}

_STEP: Final = TICKS_PER_QUARTER // 4
_RUN_STEP: Final = TICKS_PER_QUARTER // 8
_BAR: Final = 2 * _STEP
_LENGTHENING: Final = "-._–—"
_VELOCITY: Final = 80
_DEFAULT_TEMPO: Final = 120.0
_MAX_STEPS: Final = 300_000  # ten hours
_MAX_CHORD: Final = 61
_MAX_TRANSPOSE: Final = 31  # what keeps all 61 keys within MIDI's 128
_HEADER: Final = re.compile(r"\s*(title|song|artist|composer|author|tempo|bpm|transpose)\s*:\s*(.*)", re.IGNORECASE)
_COMMENT: Final = re.compile(r"\s*(#|//)")
_NUMBER: Final = re.compile(r"[+-]?\d{1,4}(?:\.\d{1,4})?")
_MARKS: Final = frozenset(_LENGTHENING + "[]|")
_NO_FORMAT: Final = "this is neither MIDI, MusicXML, ABC notation, multiplayer-piano text nor a Virtual Piano sheet"
_REMARK: Final = "the format has no lengths of notes: they follow from the spaces"


class _Header(Struct):
    """What the lines at the top say; `tempo` is 0 if none does."""

    title: str = ""
    composer: str = ""
    tempo: float = 0.0
    transpose: int = 0


class _Reader(Struct):
    """The music as far as it is read.

    Attributes:
        now: the tick at which the next note begins.
        latest: index of the first of the notes that white space makes longer; there is none after a rest.
    """

    transpose: int
    now: int = 0
    latest: int = 0
    notes: list[Sounding] = field(default_factory=list)

    def press(self, keys: str, line: int, ticks: int) -> None:
        """Play `keys` together, for so many ticks."""
        self.latest = checked_written(line, len(self.notes))
        for character in dict.fromkeys(keys):
            key = _KEYS.get(character)
            if key is None:
                raise at_line(line, _no_key(character))
            self.notes.append(Sounding(self.now, self.now + ticks, key + self.transpose, _VELOCITY))
        self.now += ticks

    def lengthen(self, line: int) -> None:
        """Let what was pressed last sound for another step."""
        if not self.notes:
            return
        if self.now > _MAX_STEPS * _STEP:
            raise at_line(line, f"the sheet has more than {_MAX_STEPS:,} steps")
        self.now += _STEP
        self.notes[self.latest :] = [note._replace(end=note.end + _STEP) for note in self.notes[self.latest :]]

    def rest(self) -> None:
        """Let nothing sound for two steps."""
        self.latest = len(self.notes)
        self.now += _BAR


def read_virtual_piano(text: str) -> tuple[ScoreFacts, Performance]:
    """The facts and the music of a whole sheet.

    Raises:
        RefusedFile: it does not parse, or is beyond a bound.
    """
    lines = [(number, line) for number, line in numbered_lines(text) if not _COMMENT.match(line)]
    header, music = _split_header(lines)
    if header == _Header():
        _check_beginning(*music[0])
    reader = _Reader(header.transpose)
    for number, line in music:
        if line.strip():
            _read_line(reader, number, line)
    tempo = header.tempo or _DEFAULT_TEMPO
    performance = Performance(
        title=header.title,
        tempos=[(0, round(60_000_000 / tempo))],
        tracks=[Track("Piano", notes=reader.notes)],
    )
    performance.clean()
    return _facts(header, performance), performance


def _facts(header: _Header, performance: Performance) -> ScoreFacts:
    return ScoreFacts(
        category=SheetCategory.VIRTUAL_PIANO,
        title=header.title,
        composer=header.composer,
        tempo=header.tempo,
        duration_ms=performance.duration_ms,
        notes=performance.notes,
        parts=performance.parts,
        remarks=(_REMARK,),
    )


def _split_header(lines: list[tuple[int, str]]) -> tuple[_Header, list[tuple[int, str]]]:
    header = _Header()
    for index, (number, line) in enumerate(lines):
        match = _HEADER.match(line)
        if match is not None:
            _read_header(header, number, match[1].lower(), match[2])
        elif line.strip():
            return header, lines[index:]
    raise RefusedFile("it has no notes")


def _check_beginning(number: int, line: str) -> None:
    """Refuse a text that is no music at all; nothing else tells a sheet without a header."""
    for character in line:
        if character not in _KEYS and character not in _MARKS and not character.isspace():
            raise RefusedFile(f"{_NO_FORMAT} (line {number}: {_no_key(character)})")


def _no_key(character: str) -> str:
    return f"{printable(character)} is no key of Virtual Piano"


def _read_header(header: _Header, line: int, name: str, value: str) -> None:
    if name in ("title", "song"):
        header.title = tidy(value)
    elif name in ("tempo", "bpm"):
        header.tempo = checked_tempo(line, _number(line, value))
    elif name == "transpose":
        header.transpose = _transpose(line, _number(line, value))
    else:
        header.composer = tidy(value)


def _number(line: int, value: str) -> float:
    match = _NUMBER.match(value)
    if match is None:
        raise at_line(line, f"{printable(value)} is no number")
    return float(match[0])


def _transpose(line: int, value: float) -> int:
    if not value.is_integer() or abs(value) > _MAX_TRANSPOSE:
        raise at_line(line, f"{value:g} is no transposition of {-_MAX_TRANSPOSE} to {_MAX_TRANSPOSE} semitones")
    return int(value)


def _read_line(reader: _Reader, number: int, line: str) -> None:
    position = 0
    while position < len(line):
        character = line[position]
        if character == "[":
            end = line.find("]", position)
            if end < 0:
                raise at_line(number, f"the chord {printable(line[position:])} has no end")
            _chord(reader, number, line[position + 1 : end])
            position = end + 1
            continue
        position += 1
        if character.isspace():
            if position < len(line) and line[position].isspace():
                continue  # the last of several counts
            reader.lengthen(number)
        elif character in _LENGTHENING:
            reader.lengthen(number)
        elif character == "|":
            reader.rest()
        else:
            reader.press(character, number, _STEP)
    if not line.endswith((" ", "\t")):
        reader.lengthen(number)  # the line's end is white space, too


def _chord(reader: _Reader, number: int, keys: str) -> None:
    if len(keys) > 2 * _MAX_CHORD:
        raise at_line(number, f"a chord has more than {_MAX_CHORD} keys")
    groups = keys.split()
    if not groups:
        raise at_line(number, "a chord has no keys")
    if len(groups) == 1:
        reader.press(groups[0], number, _STEP)
        return
    for group in groups:
        reader.press(group, number, _RUN_STEP)
