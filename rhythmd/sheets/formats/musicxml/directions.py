"""What stands above and below the notes: tempo, dynamics, pedal, jumps; and what barlines say."""

import re
from fractions import Fraction
from typing import Final

from rhythmd.sheets.formats.bounds import MAX_TEMPO, MIN_TEMPO
from rhythmd.sheets.formats.keys import tempo_of_words
from rhythmd.sheets.formats.markup import Element
from rhythmd.sheets.formats.musicxml.state import PartState
from rhythmd.sheets.formats.musicxml.values import (
    ending_numbers,
    metronome_of,
    number_in,
    repeat_times,
)

__all__ = ["read_barline", "read_direction", "read_sound", "take_dynamics"]

_GRADUAL: Final = re.compile(r"\b(rit|ritard|ritardando|rall|rallentando|accel|accelerando|string|stringendo)\b", re.I)
_CAPO: Final = re.compile(r"\bd\.?\s*c\.|\bda\s+capo\b|^d\.?c\.?(\s+al\b.*)?$", re.IGNORECASE)
_SEGNO: Final = re.compile(r"\bd\.?\s*s\.|\bdal\s+segno\b|^d\.?s\.?(\s+al\b.*)?$", re.IGNORECASE)
_TO_CODA: Final = re.compile(r"^\s*to\s+(the\s+)?coda\b", re.IGNORECASE)
_FINE: Final = re.compile(r"^\s*fine\.?\s*$", re.IGNORECASE)
_FORTE: Final = 90  # MusicXML gives dynamics in per cent of this velocity
_MAX_DYNAMICS: Final = 1_000  # per cent, of which 142 are as loud as MIDI is
_PEDAL: Final = {"start": (127,), "resume": (127,), "stop": (0,), "discontinue": (0,), "change": (0, 127)}


def read_direction(state: PartState, direction: Element) -> None:
    """Take a `direction` at the cursor."""
    at = state.cursor + _offset(state, direction)
    sound = direction.find("sound")
    is_jump = sound is not None and _take_sound_jumps(state, sound)
    has_tempo = sound is not None and _take_sound_tempo(state, at, sound)
    words: list[str] = []
    for type_ in direction.all("direction-type"):
        for mark in type_.children:
            if mark.tag == "words":
                words.append(mark.text)
            elif mark.tag == "metronome" and not has_tempo:
                has_tempo = _take_metronome(state, at, mark)
            else:
                _take_mark(state, at, mark, is_jump)
    if sound is not None:
        _take_sound_values(state, at, sound, direction)
    _take_words(state, at, " ".join(words), is_jump, has_tempo)


def read_sound(state: PartState, sound: Element) -> None:
    """Take a `sound` that stands by itself, at the cursor."""
    at = state.cursor + _offset(state, sound)
    _take_sound_jumps(state, sound)
    _take_sound_tempo(state, at, sound)
    _take_sound_values(state, at, sound, sound)


def read_barline(state: PartState, barline: Element) -> None:
    """Take the repeat, ending and signs of a `barline`."""
    bar = state.bar
    bar.segno |= barline.has("segno")
    bar.coda |= barline.has("coda")
    ending, repeat = barline.find("ending"), barline.find("repeat")
    if ending is not None:
        if ending.get("type") == "start":
            state.endings = ending_numbers(ending)
        else:
            state.has_ending_end = True
    if repeat is None:
        return
    if repeat.get("direction") == "forward":
        bar.repeat_start = True
    else:
        bar.repeat_end = repeat_times(repeat)
        bar.repeats_after_jump |= repeat.get("after-jump") == "yes"


def take_dynamics(state: PartState, at: Fraction, dynamics: Element) -> None:
    """Take the marks of a `dynamics` at a place in the measure."""
    for mark in dynamics.children:
        if not state.part.expression.mark(state.measure.start + at, mark.tag):
            state.leave_out("dynamics that are not known")


def _offset(state: PartState, element: Element) -> Fraction:
    offset = element.find("offset")
    if offset is None or not offset.text:
        return Fraction(0)
    return max(-state.cursor, number_in(offset.line, offset.text, "an offset") / state.divisions)


def _take_metronome(state: PartState, at: Fraction, metronome: Element) -> bool:
    """Take the tempo of a `metronome`; whether it has one."""
    tempo = metronome_of(metronome)
    if not tempo:
        state.leave_out("metronome marks without a number")
        return False
    return _take_tempo(state, at, tempo)


def _take_sound_tempo(state: PartState, at: Fraction, sound: Element) -> bool:
    """Take the tempo of a `sound`; whether it has one."""
    if not sound.get("tempo"):
        return False
    return _take_tempo(state, at, float(number_in(sound.line, sound.get("tempo"), "a tempo")))


def _take_tempo(state: PartState, at: Fraction, tempo: float) -> bool:
    """Take a tempo; whether it makes sense."""
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        state.leave_out(f"tempos that are not between {MIN_TEMPO:g} and {MAX_TEMPO:g} quarters a minute")
        return False
    state.take_tempo(at, tempo)
    return True


def _take_mark(state: PartState, at: Fraction, mark: Element, is_jump: bool) -> None:
    time, expression = state.measure.start + at, state.part.expression
    if mark.tag == "dynamics":
        take_dynamics(state, at, mark)
    elif mark.tag == "wedge" and mark.get("type") in ("crescendo", "diminuendo"):
        expression.open_hairpin(time, mark.get("number", "1"), 1 if mark.get("type") == "crescendo" else -1)
    elif mark.tag == "wedge" and mark.get("type") == "stop":
        expression.close_hairpin(time, mark.get("number", "1"))
    elif mark.tag == "pedal":
        state.measure.pedal += [(at, value) for value in _PEDAL.get(mark.get("type"), ())]
    elif mark.tag == "segno" and not is_jump:
        state.bar.segno = True
    elif mark.tag == "coda" and not is_jump:
        state.bar.coda = True


def _take_sound_jumps(state: PartState, sound: Element) -> bool:
    """Take the jumps of a `sound`; whether it has any."""
    bar = state.bar
    if sound.get("dacapo") == "yes":
        bar.jump = "capo"
    if sound.get("dalsegno"):
        bar.jump = "segno"
    bar.to_coda |= bool(sound.get("tocoda"))
    bar.fine |= bool(sound.get("fine"))
    bar.segno |= bool(sound.get("segno"))
    bar.coda |= bool(sound.get("coda"))
    bar.repeat_start |= sound.get("forward-repeat") == "yes"
    return any(sound.get(name) for name in ("dacapo", "dalsegno", "tocoda", "fine", "segno", "coda"))


def _take_sound_values(state: PartState, at: Fraction, sound: Element, direction: Element) -> None:
    """Loudness and pedal of a `sound`; a dynamic mark beside it says the loudness better."""
    has_mark = any(type_.has("dynamics") for type_ in direction.all("direction-type"))
    if sound.get("dynamics") and not has_mark:
        _take_level(state, at, number_in(sound.line, sound.get("dynamics"), "a dynamic"))
    if sound.get("damper-pedal") in ("yes", "no") and direction is sound:
        state.measure.pedal.append((at, 127 if sound.get("damper-pedal") == "yes" else 0))


def _take_level(state: PartState, at: Fraction, percent: Fraction) -> None:
    if not 0 <= percent <= _MAX_DYNAMICS:
        state.leave_out(f"dynamics that are not between 0 and {_MAX_DYNAMICS:,} per cent of forte")
        return
    velocity = max(1, min(127, round(percent * _FORTE / 100)))
    state.part.expression.levels.append((state.measure.start + at, velocity))


def _take_words(state: PartState, at: Fraction, words: str, is_jump: bool, has_tempo: bool) -> None:
    if not words:
        return
    if not is_jump:
        _take_jump_words(state, words)
    if not has_tempo and (tempo := tempo_of_words(words)):
        state.take_tempo_words(at, tempo)
    if _GRADUAL.search(words):
        state.leave_out("gradual changes of tempo")


def _take_jump_words(state: PartState, words: str) -> None:
    bar = state.bar
    if _CAPO.search(words):
        bar.jump = "capo"
    elif _SEGNO.search(words):
        bar.jump = "segno"
    elif _TO_CODA.search(words):
        bar.to_coda, bar.coda = True, False
    elif _FINE.search(words):
        bar.fine = True
