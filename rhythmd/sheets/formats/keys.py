"""Names of keys and metres, and tempo words: what the formats have in common as text."""

import re
from typing import Final

from rhythmd.sheets.formats.bounds import RefusedFile

__all__ = ["MAX_SHARPS", "SEMITONES", "checked_metre", "key_name", "sharps_of", "tempo_of_words"]

MAX_SHARPS: Final = 7

SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

_FIFTHS: Final = "FCGDAEB"
_SIGNS: Final = {-2: "-double-flat", -1: "-flat", 0: "", 1: "-sharp", 2: "-double-sharp"}

# How many sharps more than major a mode's signature has on the same tonic.
_MODES: Final = {
    "major": 0, "minor": -3, "ionian": 0, "dorian": -2, "phrygian": -4, "lydian": 1, "mixolydian": -1, "aeolian": -3,
    "locrian": -5,
}  # fmt: skip

# Quarters a minute: about the middle of what metronomes have printed beside the word.
_TEMPO_WORDS: Final = {
    "larghissimo": 24, "grave": 40, "largo": 50, "lento": 54, "larghetto": 62, "adagio": 70, "adagietto": 74,
    "andante": 84, "andantino": 92, "moderato": 108, "allegretto": 116, "allegro": 132, "vivace": 160, "vivo": 160,
    "presto": 184, "prestissimo": 204,
}  # fmt: skip

_MAX_BEATS: Final = 255
_MAX_BEAT_TYPE: Final = 128


def key_name(sharps: int, mode: str) -> str:
    """The key ("E-flat minor") with so many sharps, flats being negative; empty where there is no such key."""
    if mode not in _MODES or abs(sharps) > MAX_SHARPS:
        return ""
    place = sharps - _MODES[mode] + _FIFTHS.index("C")
    return f"{_FIFTHS[place % 7]}{_SIGNS[place // 7]} {mode}"


def sharps_of(tonic: str, sign: int, mode: str) -> int:
    """The signature of a key: its tonic's letter, sharps (flats are negative) on it, and the mode's full name."""
    return _FIFTHS.index(tonic) - _FIFTHS.index("C") + 7 * sign + _MODES[mode]


def checked_metre(beats: int, beat_type: int) -> tuple[int, int]:
    """Beats and beat type as a Standard MIDI File can say them.

    Raises:
        RefusedFile: it cannot.
    """
    is_power = beat_type > 0 and beat_type & (beat_type - 1) == 0
    if not 1 <= beats <= _MAX_BEATS or not is_power or beat_type > _MAX_BEAT_TYPE:
        raise RefusedFile(f"{beats}/{beat_type} is no time signature")
    return beats, beat_type


def tempo_of_words(words: str) -> float:
    """Quarters a minute that the first tempo word stands for; 0 if there is none."""
    found = (_TEMPO_WORDS.get(word) for word in re.findall(r"[a-z]+", words.lower()[:200]))
    return float(next((tempo for tempo in found if tempo), 0))
