"""Values of ABC's information fields: key, metre, unit note length, tempo, order of parts (ABC 2.1)."""

import re
from fractions import Fraction
from typing import Final

from msgspec import Struct, field

from rhythmd.sheets.formats.bounds import RefusedFile, at_line, checked_tempo, printable
from rhythmd.sheets.formats.keys import MAX_SHARPS, checked_metre, key_name, sharps_of, tempo_of_words

__all__ = ["Key", "has_key", "key_of", "metre_of", "octave_shift", "part_order", "tempo_of", "transposition", "unit_of"]

_KEY: Final = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)(.*)", re.DOTALL)
_ACCIDENTAL: Final = re.compile(r"(?<![\w=])(\^\^|\^|__|_|=)([A-Ga-g])(?![A-Za-z])")
_FRACTION: Final = re.compile(r"(\d{1,3})/(\d{1,3})")
_TEMPO: Final = re.compile(r"((?:\d{1,3}/\d{1,3}\s+){0,9}\d{1,3}/\d{1,3})\s*=\s*(\d{1,4}(?:\.\d{1,4})?)")
_OCTAVE: Final = re.compile(r"octave\s*=\s*([+-]?\d)(?!\d)")
_CLEF_OCTAVE: Final = re.compile(r"(?:treble|alto|tenor|bass|perc|[gcf]|\s)\d?([+-])8(?:va)?\b|^([+-])8(?:va)?\b", re.I)
_TRANSPOSE: Final = re.compile(r"\b(?:transpose|t)\s*=\s*([+-]?\d{1,2})(?!\d)")
_PARTS: Final = re.compile(r"[A-Z]\d{0,2}|\(|\)\d{0,2}")
_PROPERTY: Final = re.compile(r"[a-z]+\s*=")
_MAX_SECTIONS: Final = 500
_SHARP_ORDER: Final = "FCGDAEB"

SIGNS: Final = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
"""Semitones of ABC's accidentals."""

# By their first three letters, which are enough.
_MODES: Final = {
    "": "major", "maj": "major", "m": "minor", "min": "minor", "ion": "ionian", "dor": "dorian", "phr": "phrygian",
    "lyd": "lydian", "mix": "mixolydian", "aeo": "aeolian", "loc": "locrian",
}  # fmt: skip
_COMMON_TIMES: Final = {"C": ("4/4", (4, 4)), "C|": ("2/2", (2, 2))}


class Key(Struct, frozen=True):
    """A key: its name, sharps (flats are negative), whether it is minor, and the semitones by letter."""

    name: str = ""
    sharps: int = 0
    is_minor: bool = False
    alterations: dict[str, int] = field(default_factory=dict)


def _signature(sharps: int) -> dict[str, int]:
    letters = _SHARP_ORDER[:sharps] if sharps > 0 else _SHARP_ORDER[::-1][:-sharps]
    return dict.fromkeys(letters, 1 if sharps > 0 else -1)


def key_of(line: int, text: str) -> Key:
    """The key of a field K:, without its clef.

    Raises:
        RefusedFile: it is none.
    """
    text = text.strip()
    if text[:2] in ("HP", "Hp"):  # the Highland pipes' scale
        return Key("", 2, False, _signature(2))
    match = _KEY.match(text)
    if match is None:
        if not text or text.startswith("none") or _is_clef(text) or _ACCIDENTAL.match(text):
            return Key(alterations=_explicit(text))
        raise at_line(line, f"{printable(text)} is no key")
    tonic, sign, word, rest = match.groups()
    mode = _MODES.get(word.lower() if word == "m" or not word else word.lower()[:3])
    if word.lower()[:3] == "exp":
        return Key(alterations=_explicit(rest))
    if mode is None:
        if not _is_clef(word):
            raise at_line(line, f"{printable(text)} is no key")
        mode = "major"
    sharps = sharps_of(tonic, {"#": 1, "b": -1, "": 0}[sign], mode)
    if abs(sharps) > MAX_SHARPS:
        raise at_line(line, f"the key {printable(text)} has more than {MAX_SHARPS} accidentals")
    return Key(key_name(sharps, mode), sharps, mode == "minor", _signature(sharps) | _explicit(rest))


def _is_clef(text: str) -> bool:
    words = ("clef", "treble", "bass", "alto", "tenor", "perc", "octave", "transpose", "stafflines", "middle")
    return text.lower().startswith(words) or _PROPERTY.match(text) is not None


def has_key(text: str) -> bool:
    """Whether a field K: says a key; one that has only a clef or properties does not change it."""
    text = text.strip()
    return not _is_clef(text) or bool(_explicit(text))


def _explicit(text: str) -> dict[str, int]:
    return {letter.upper(): SIGNS[sign] for sign, letter in _ACCIDENTAL.findall(text)}


def octave_shift(text: str) -> int:
    """Octaves that the properties of a key or voice move its notes by: `octave=-1`, `treble-8`."""
    octave, clef = _OCTAVE.search(text), _CLEF_OCTAVE.search(text)
    shift = int(octave[1]) if octave else 0
    if clef:
        shift += 1 if "+" in clef[0] else -1
    return max(-4, min(4, shift))


def transposition(text: str) -> int:
    """Semitones that the properties of a key or voice move its sound by."""
    match = _TRANSPOSE.search(text)
    return max(-60, min(60, int(match[1]))) if match else 0


def metre_of(line: int, text: str) -> tuple[str, tuple[int, int] | None]:
    """A field M: as text, and as beats and beat type; none for free metre.

    Raises:
        RefusedFile: it is none.
    """
    text = text.strip()
    if text in _COMMON_TIMES:
        return _COMMON_TIMES[text]
    if not text or text.lower().startswith("none"):
        return "", None
    compact = re.sub(r"[\s()]", "", text)
    match = re.fullmatch(r"((?:\d{1,3}\+)*\d{1,3})/(\d{1,3})", compact)
    if match is None:
        raise at_line(line, f"{printable(text)} is no metre")
    try:
        return compact, checked_metre(sum(int(term) for term in match[1].split("+")), int(match[2]))
    except RefusedFile:
        raise at_line(line, f"{printable(text)} is no metre") from None


def unit_of(line: int, text: str) -> Fraction:
    """A field L: in quarters.

    Raises:
        RefusedFile: it is no length.
    """
    text = text.strip()
    match = _FRACTION.match(text)
    if text == "1":
        return Fraction(4)
    if match is None or int(match[1]) == 0 or int(match[2]) == 0:
        raise at_line(line, f"{printable(text)} is no note length")
    return Fraction(4 * int(match[1]), int(match[2]))


def tempo_of(line: int, text: str, unit: Fraction) -> float:
    """A field Q: in quarters a minute, `unit` being L:; 0 if it says nothing that is known.

    Raises:
        RefusedFile: it is beyond the bounds.
    """
    words = " ".join(re.findall(r'"([^"]*)"', text))
    rest = re.sub(r'"[^"]*"', "", text).strip()
    if match := _TEMPO.search(rest):
        beats = _FRACTION.findall(match[1])
        if any(int(denominator) == 0 for _, denominator in beats):
            raise at_line(line, f"{printable(text)} is no tempo")
        quarters = sum((Fraction(4 * int(number), int(type_)) for number, type_ in beats), Fraction(0))
        return checked_tempo(line, float(quarters * Fraction(match[2])))
    if match := re.search(r"(?:C\d?\s*=\s*)?(\d{1,4})$", rest):
        return checked_tempo(line, float(unit * int(match[1])))
    return tempo_of_words(words or rest)


def part_order(line: int, text: str) -> list[str]:
    """The labels of a header's field P: as they are played: `A(BC)2` is A, B, C, B, C.

    Raises:
        RefusedFile: it cannot be read, or is beyond a bound.
    """
    compact = re.sub(r"[\s.,]", "", text)
    tokens = _PARTS.findall(compact)
    if "".join(tokens) != compact:
        return []
    groups: list[list[str]] = [[]]
    for mark, times in ((found[0], int(found[1:] or 1)) for found in tokens):
        if mark == "(":
            groups.append([])
            continue
        if mark == ")" and len(groups) < 2:
            raise at_line(line, f"the parts {printable(text)} have a bracket too many")
        labels = groups.pop() if mark == ")" else [mark]
        groups[-1].extend(labels * times)
        if len(groups[-1]) > _MAX_SECTIONS or len(groups) > _MAX_SECTIONS:
            raise at_line(line, f"more than {_MAX_SECTIONS} parts are played")
    return groups[0] if len(groups) == 1 else []
