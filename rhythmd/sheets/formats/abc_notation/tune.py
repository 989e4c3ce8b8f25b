"""A tune of ABC as a score: its header, and the body line by line."""

import re
from fractions import Fraction
from typing import Final

from rhythmd.sheets.formats.abc_notation.fields import (
    Key,
    has_key,
    key_of,
    metre_of,
    octave_shift,
    part_order,
    tempo_of,
    transposition,
    unit_of,
)
from rhythmd.sheets.formats.abc_notation.music import MusicReader
from rhythmd.sheets.formats.abc_notation.voice import Voice
from rhythmd.sheets.formats.bounds import RefusedFile, at_line, numbered_lines, printable, tidy
from rhythmd.sheets.formats.score import Bar, Part, Score

__all__ = ["read_tune"]

_FIELD: Final = re.compile(r"([A-Za-z+]):(?![|:])\s*(.*)", re.DOTALL)
_HEADER_FIELD: Final = re.compile(r"([A-Za-z+]):\s*(.*)", re.DOTALL)
_BODY_FIELDS: Final = frozenset("IKLMmNPQRrsTUVWw+")
_TUNE: Final = re.compile(r"X:\s*\d")
_BLOCK: Final = re.compile(r"%%begin(\w+)")
_PROGRAM: Final = re.compile(r"%%MIDI\s+program\s+(?:\d{1,2}\s+)?(\d{1,3})\s*$")
_USER_SYMBOL: Final = re.compile(r"([H-Wh-w~])\s*=\s*[!+](.+)[!+]")
_NAME: Final = re.compile(r'\b(?:name|nm)\s*=\s*"([^"]*)"')
_MAX_VOICES: Final = 64
_MAX_FIELD: Final = 1_000  # characters of a field that are looked at
_HEADER_MISSING: Final = "the tune has no key (K:), with which its music begins"


def read_tune(text: str) -> Score:
    """The score of the first tune in a file.

    Raises:
        RefusedFile: it does not parse, or is beyond a bound.
    """
    lines = numbered_lines(text)
    starts = [index for index, (_, line) in enumerate(lines) if _TUNE.match(line)]
    end = starts[1] if len(starts) > 1 else len(lines)
    tune = _Tune()
    if len(starts) > 1:
        tune.score.left_out["tunes after the first one"] = len(starts) - 1
    tune.read(lines[:end])
    return tune.finish(lines[end - 1][0] if end else 1)


class _Tune:
    """A tune being read."""

    def __init__(self) -> None:
        self.score = Score()
        self._voices: dict[str, Voice] = {}
        self._voice: Voice | None = None
        self._key = Key()
        self._shift = 0
        self._unit: Fraction | None = None
        self._metre: tuple[int, int] | None = (4, 4)
        self._has_metre = False
        self._tempo: tuple[int, str] | None = None
        self._program: int | None = None
        self._order: list[str] = []
        self._labels: dict[str, int] = {}
        self._is_body = False
        self._block = ""
        self._music = MusicReader(self.score, self._inline)
        self._takers = {
            "K": self._take_key,
            "L": self._take_unit,
            "M": self._take_metre,
            "P": self._take_part,
            "Q": self._take_tempo,
            "V": self._take_voice,
        }

    def read(self, lines: list[tuple[int, str]]) -> None:
        for number, line in lines:
            if not line.strip() and not self._block:
                if self._is_body:
                    return
                continue
            self._line(number, line)

    def _line(self, number: int, line: str) -> None:
        if self._block:
            self._block = "" if line.startswith(f"%%end{self._block}") else self._block
        elif line.startswith("%"):
            self._directive(line)
        elif match := self._field_in(line):
            self._field(number, match[1], _without_comment(match[2][:_MAX_FIELD]))
        elif not self._is_body:
            raise at_line(number, f"{printable(line)} stands before the tune's key (K:)")
        else:
            self._music.read_line(number, _without_comment(line), self._current(number))

    def _field_in(self, line: str) -> re.Match[str] | None:
        """The field of a line; in the body `d:|` is a note before a bar line, and no field."""
        if not self._is_body:
            return _HEADER_FIELD.match(line)
        match = _FIELD.match(line)
        return match if match and match[1] in _BODY_FIELDS else None

    def _directive(self, line: str) -> None:
        if match := _BLOCK.match(line):
            self._block = match[1]
        elif (match := _PROGRAM.match(line)) and int(match[1]) <= 127:
            self._program = int(match[1])
            if self._voice is not None:
                self._voice.part.program = self._program

    def _inline(self, line: int, name: str, value: str) -> Voice:
        """Take a field within music; the voice that goes on."""
        if name in _BODY_FIELDS:
            self._field(line, name, value)
        return self._current(line)

    def _field(self, line: int, name: str, value: str) -> None:
        if take := self._takers.get(name):
            take(line, value)
        elif name == "U" and (match := _USER_SYMBOL.match(value)):
            self._music.define(match[1], match[2])
        elif name == "m":
            self.score.left_out["macros"] += 1
        elif name == "T" and not self.score.title:
            self.score.title = tidy(value)
        elif name == "C" and not self.score.composer:
            self.score.composer = tidy(value)

    def _take_unit(self, line: int, value: str) -> None:
        self._unit = unit_of(line, value)
        if self._is_body:
            self._current(line).unit = self._unit

    def _take_key(self, line: int, value: str) -> None:
        key, shift = key_of(line, value), 12 * octave_shift(value) + transposition(value)
        if not self._is_body:
            self._is_body = True
            self._key, self._shift, self.score.key = key, shift, key.name
            for voice in self._voices.values():
                voice.key, voice.unit = key, self._default_unit()
                voice.shift += shift
            self.score.bar(0).key = (key.sharps, key.is_minor)
            return
        voice = self._current(line)
        if shift or "octave=" in value or "transpose=" in value:
            voice.shift = shift
        if has_key(value):
            voice.key = key
            self._next_bar(voice).key = (key.sharps, key.is_minor)

    def _take_metre(self, line: int, value: str) -> None:
        text, self._metre = metre_of(line, value)
        self._music.metre = self._metre
        self._has_metre = True
        if not self._is_body:
            self.score.time_signature = text
        elif self._metre is not None:
            self._next_bar(self._current(line)).metre = self._metre

    def _take_tempo(self, line: int, value: str) -> None:
        if not self._is_body:
            self._tempo = line, value
            return
        voice = self._current(line)
        if tempo := tempo_of(line, value, voice.unit):
            at = voice.cursor if voice.is_in_bar else Fraction(0)
            self._next_bar(voice).tempos.append((at, tempo))

    def _take_voice(self, line: int, value: str) -> None:
        name, _, properties = value.strip().partition(" ")
        if not name:
            raise at_line(line, "a voice has no name")
        if name not in self._voices:
            if len(self._voices) >= _MAX_VOICES:
                raise at_line(line, f"there are more than {_MAX_VOICES} voices")
            self._voices[name] = self._new_voice("")
        voice = self._voices[name]
        if match := _NAME.search(properties):
            voice.part.name = tidy(match[1])
        if shift := 12 * octave_shift(" " + properties) + transposition(properties):
            voice.shift = self._shift + shift
        self._voice = voice if self._is_body else None

    def _new_voice(self, name: str) -> Voice:
        part = Part(name, self._program)
        return Voice(self.score, part, self._key, self._default_unit(), self._shift)

    def _take_part(self, line: int, value: str) -> None:
        if not self._is_body:
            self._order = part_order(line, value)
            return
        voice = self._current(line)
        if voice is next(iter(self._voices.values())):
            voice.leave()
            self._labels.setdefault(value.strip()[:1], voice.number + 1)

    def _current(self, line: int) -> Voice:
        """The voice that music goes to."""
        if not self._is_body:
            raise at_line(line, _HEADER_MISSING)
        if self._voice is None:
            if not self._voices:
                self._voices[""] = self._new_voice("")
            self._voice = next(iter(self._voices.values()))
        return self._voice

    def _next_bar(self, voice: Voice) -> Bar:
        """The bar that the next note is in."""
        return voice.bar if voice.is_in_bar else self.score.bar(voice.number + 1)

    def _default_unit(self) -> Fraction:
        """L:, or what follows from the metre: a sixteenth below three quarters, else an eighth."""
        if self._unit is not None:
            return self._unit
        beats, beat_type = self._metre or (4, 4)
        return Fraction(1, 4) if Fraction(beats, beat_type) < Fraction(3, 4) else Fraction(1, 2)

    def finish(self, last_line: int) -> Score:
        if not self._is_body:
            raise at_line(last_line, _HEADER_MISSING)
        score = self.score
        for voice in self._voices.values():
            self._music.finish(voice)
        score.parts = [voice.part for voice in self._voices.values()]
        if not any(measure.notes for part in score.parts for measure in part.measures):
            raise RefusedFile("it has no notes")
        first = score.bar(0)
        if self._has_metre and self._metre is not None and first.metre is None:
            first.metre = self._metre
        if self._tempo is not None and (tempo := tempo_of(*self._tempo, self._default_unit())):
            first.tempos.insert(0, (Fraction(0), tempo))
        for bar in score.bars:
            bar.tempos.sort(key=lambda change: change[0])
        score.sections = self._sections()
        return score

    def _sections(self) -> list[tuple[int, int]]:
        """The bars that are played, by the order in the header's field P:; empty for all."""
        if not self._order or any(label not in self._labels for label in self._order):
            return []
        starts = sorted(set(self._labels.values()))
        bounds = dict(zip(starts, [*starts[1:], len(self.score.bars)], strict=True))
        sections = [(self._labels[label], bounds[self._labels[label]]) for label in self._order]
        return [(0, starts[0]), *sections] if starts[0] else sections


def _without_comment(line: str) -> str:
    """The line without what follows a % that is not escaped."""
    return re.split(r"(?<!\\)%", line, maxsplit=1)[0].rstrip()
