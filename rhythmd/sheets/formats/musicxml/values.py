"""Numbers and words of MusicXML elements, checked: what is none is refused with its line."""

import re
from fractions import Fraction
from typing import Final

from rhythmd.sheets.formats.bounds import RefusedFile, at_line, printable
from rhythmd.sheets.formats.keys import SEMITONES, checked_metre
from rhythmd.sheets.formats.markup import Element

__all__ = [
    "duration_of",
    "ending_numbers",
    "integer_of",
    "metre_of",
    "metronome_of",
    "number_in",
    "pitch_of",
    "repeat_times",
]

_DECIMAL: Final = re.compile(r"[+-]?\d{1,12}(?:\.\d{1,12})?|[+-]?\.\d{1,12}")
_INTEGER: Final = re.compile(r"[+-]?\d{1,9}")
_MAX_ENDING: Final = 99
_MAX_TIMES: Final = 1_000
_BEAT_UNITS: Final = {
    "maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2),
    "quarter": Fraction(1), "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16), "128th": Fraction(1, 32), "256th": Fraction(1, 64),
}  # fmt: skip


def number_in(line: int, text: str, what: str) -> Fraction:
    """A decimal number.

    Raises:
        RefusedFile: it is none.
    """
    if _DECIMAL.fullmatch(text.strip()) is None:
        raise at_line(line, f"{what} is {printable(text)}, no number")
    return Fraction(text.strip())


def integer_of(element: Element, what: str) -> int:
    """An element's text as an integer.

    Raises:
        RefusedFile: it is none.
    """
    if _INTEGER.fullmatch(element.text) is None:
        raise at_line(element.line, f"{what} is {printable(element.text)}, no whole number")
    return int(element.text)


def duration_of(element: Element, divisions: Fraction) -> Fraction:
    """The `duration` in an element, in quarters.

    Raises:
        RefusedFile: there is none, or it is negative.
    """
    duration = element.find("duration")
    if duration is None:
        raise at_line(element.line, f"a {element.tag} has no duration")
    value = number_in(duration.line, duration.text, "a duration")
    if value < 0:
        raise at_line(duration.line, "a duration is negative")
    return value / divisions


def pitch_of(pitch: Element) -> tuple[int, bool]:
    """The MIDI key of a written pitch, before transposition, and whether it was rounded to a semitone.

    Raises:
        RefusedFile: it is no pitch.
    """
    step, octave, alter = pitch.text_of("step"), pitch.find("octave"), pitch.find("alter")
    if step not in SEMITONES:
        raise at_line(pitch.line, f"unknown step {printable(step)}")
    if octave is None:
        raise at_line(pitch.line, "a pitch has no octave")
    semitones = number_in(alter.line, alter.text, "an alteration") if alter and alter.text else Fraction(0)
    return 12 * (integer_of(octave, "an octave") + 1) + SEMITONES[step] + round(semitones), semitones.denominator > 1


def metre_of(time: Element) -> tuple[str, tuple[int, int] | None]:
    """A time signature as text ("3+2/8"), and as beats and beat type; none for senza misura.

    Raises:
        RefusedFile: it is none.
    """
    beats = [element.text.replace(" ", "") for element in time.all("beats")]
    types = [element.text for element in time.all("beat-type")]
    if time.has("senza-misura") or not beats:
        return "", None
    text = "+".join(f"{number}/{type_}" for number, type_ in zip(beats, types, strict=False))
    terms = [number.split("+") for number in beats]
    numbers = [*types, *(term for group in terms for term in group)]
    if len(types) != len(beats) or not all(re.fullmatch(r"\d{1,3}", number) for number in numbers):
        raise at_line(time.line, f"{printable(text)} is no time signature")
    shortest = max(int(type_) for type_ in types)
    total = Fraction(0)
    for group, type_ in zip(terms, types, strict=True):
        if not int(type_):
            raise at_line(time.line, f"{printable(text)} is no time signature")
        total += Fraction(sum(int(term) for term in group), int(type_))
    return text, _checked(time.line, total * shortest, shortest)


def _checked(line: int, beats: Fraction, beat_type: int) -> tuple[int, int]:
    try:
        return checked_metre(int(beats), beat_type)
    except RefusedFile as refused:
        raise at_line(line, refused.reason) from None


def metronome_of(metronome: Element) -> float:
    """Quarters a minute; 0 for a mark without a number, as a ratio of two notes is.

    Raises:
        RefusedFile: its beat unit is unknown.
    """
    match = _DECIMAL.search(metronome.text_of("per-minute"))
    if match is None or len(metronome.all("beat-unit")) != 1:
        return 0.0
    unit = metronome.text_of("beat-unit")
    if unit not in _BEAT_UNITS:
        raise at_line(metronome.line, f"unknown beat unit {printable(unit)}")
    quarters = _BEAT_UNITS[unit]
    added = quarters
    for _ in metronome.all("beat-unit-dot")[:4]:
        added /= 2
        quarters += added
    return float(Fraction(match[0]) * quarters)


def ending_numbers(ending: Element) -> frozenset[int]:
    """The passes that an ending is for.

    Raises:
        RefusedFile: one is no number of 1 to 99.
    """
    numbers = [int(number) for number in re.findall(r"\d{1,9}", ending.get("number"))]
    if any(not 1 <= number <= _MAX_ENDING for number in numbers):
        raise at_line(ending.line, f"the ending {printable(ending.get('number'))} is not of 1 to {_MAX_ENDING}")
    return frozenset(numbers)


def repeat_times(repeat: Element) -> int:
    """How often a section is played that ends with this repeat.

    Raises:
        RefusedFile: that is no number of 1 to 1,000.
    """
    text = repeat.get("times", "2")
    if not re.fullmatch(r"\d{1,9}", text) or not 1 <= int(text) <= _MAX_TIMES:
        raise at_line(repeat.line, f"a section cannot be played {printable(text)} times, only 1 to {_MAX_TIMES:,}")
    return int(text)
