"""The notes and attributes of a measure."""

from fractions import Fraction
from typing import Final

from rhythmd.sheets.formats.bounds import at_line, checked_written, printable
from rhythmd.sheets.formats.expression import ACCENT, STRONG_ACCENT
from rhythmd.sheets.formats.keys import MAX_SHARPS, key_name
from rhythmd.sheets.formats.markup import Element
from rhythmd.sheets.formats.musicxml.directions import read_barline, read_direction, read_sound, take_dynamics
from rhythmd.sheets.formats.musicxml.state import PartState
from rhythmd.sheets.formats.musicxml.values import duration_of, integer_of, metre_of, number_in, pitch_of
from rhythmd.sheets.formats.score import Note, place_graces

__all__ = ["read_measure"]

_GATES: Final = {"staccatissimo": 0.25, "spiccato": 0.25, "staccato": 0.5, "detached-legato": 0.75}
_BOOSTS: Final = {"accent": ACCENT, "strong-accent": STRONG_ACCENT, "stress": ACCENT}
_DEFAULT_DRUM: Final = 37  # a side stick, where the part list names no sound
_MAX_STAFF: Final = 99
_MAX_TRANSPOSE: Final = 60

# What is written and does not sound, by the element that writes it.
_LEFT_OUT: Final = {
    "arpeggiate": "arpeggios are played as chords",
    "fermata": "fermatas last no longer than written",
    "glissando": "glissandi are played as plain notes",
    "slide": "glissandi are played as plain notes",
    "tremolo": "tremolos are played as plain notes",
    "harmony": "chord symbols",
    "measure-repeat": "signs that repeat a measure",
    "beat-repeat": "signs that repeat a beat",
    "slash": "slashes for improvised rhythm",
}
_ORNAMENTS: Final = "ornaments are played as plain notes"
_QUARTER_TONES: Final = "quarter tones are rounded to semitones"


def read_measure(state: PartState, measure: Element) -> None:
    """Read what one part has in one measure, a `measure` of a partwise score or a `part` of a timewise one.

    Raises:
        RefusedFile: it is not what MusicXML allows.
    """
    state.begin_measure()
    for element in measure.children:
        if element.tag == "note":
            _note(state, element)
        elif element.tag in ("backup", "forward"):
            _place_graces(state)
            quarters = duration_of(element, state.divisions)
            state.move(quarters if element.tag == "forward" else -quarters)
        elif element.tag == "attributes":
            _attributes(state, element)
        elif element.tag == "direction":
            read_direction(state, element)
        elif element.tag == "sound":
            read_sound(state, element)
        elif element.tag == "barline":
            read_barline(state, element)
        elif element.tag in _LEFT_OUT:
            state.leave_out(_LEFT_OUT[element.tag])
    _place_graces(state)
    state.end_measure()


def _attributes(state: PartState, attributes: Element) -> None:
    for element in attributes.children:
        if element.tag == "divisions":
            state.divisions = number_in(element.line, element.text, "divisions")
            if state.divisions <= 0:
                raise at_line(element.line, "a quarter note has no divisions")
        elif element.tag == "time":
            _time(state, element)
        elif element.tag == "transpose":
            _transpose(state, element)
        elif element.tag == "measure-style":
            for style in element.children:
                if style.tag in _LEFT_OUT and style.get("type") != "stop":
                    state.leave_out(_LEFT_OUT[style.tag])
    for element in attributes.all("key"):
        _key(state, element)


def _time(state: PartState, time: Element) -> None:
    text, state.metre = metre_of(time)
    if not state.score.time_signature:
        state.score.time_signature = text
    if state.bar.metre is None:
        state.bar.metre = state.metre


def _transpose(state: PartState, transpose: Element) -> None:
    chromatic, octaves = transpose.find("chromatic"), transpose.find("octave-change")
    semitones = round(number_in(chromatic.line, chromatic.text, "a transposition")) if chromatic else 0
    semitones += 12 * integer_of(octaves, "an octave") if octaves and octaves.text else 0
    if abs(semitones) > _MAX_TRANSPOSE:
        raise at_line(transpose.line, f"a transposition by {semitones} semitones is more than {_MAX_TRANSPOSE}")
    staff = transpose.get("number", "0")
    state.transpositions[int(staff) if staff.isdecimal() and len(staff) < 3 else 0] = semitones


def _key(state: PartState, key: Element) -> None:
    """The first part's key counts, as it sounds."""
    fifths = key.find("fifths")
    if fifths is None or state.bar.key is not None:
        return
    sharps = integer_of(fifths, "a key") + _fifths(state.transposition(1))
    if abs(sharps) > MAX_SHARPS:
        sharps -= 12 if sharps > 0 else -12
    if abs(sharps) > MAX_SHARPS:
        raise at_line(key.line, f"a key with {fifths.text} sharps is not supported")
    mode = key.text_of("mode").lower()
    state.bar.key = sharps, mode == "minor"
    if not state.score.key:
        state.score.key = key_name(sharps, mode)


def _fifths(semitones: int) -> int:
    """Sharps more in the key when it is transposed."""
    sharps = semitones * 7 % 12
    return sharps - 12 if sharps > 6 else sharps


def _note(state: PartState, element: Element) -> None:
    state.score.written = checked_written(element.line, state.score.written + 1)
    is_chord, is_grace = element.has("chord"), element.has("grace")
    if not is_grace:
        length = duration_of(element, state.divisions)
        if not is_chord:
            _place_graces(state)
            state.chord_start = state.cursor
            state.move(length)
    else:
        length = Fraction(0)
    if element.has("rest") or element.has("cue"):
        return
    note = _sounding(state, element, length)
    _notations(state, note, element, is_grace)
    if not is_grace:
        state.measure.notes.append(note)
    elif is_chord and state.graces:
        state.graces[-1].append(note)
    else:
        state.graces.append([note])


def _place_graces(state: PartState) -> None:
    if state.graces:
        state.measure.notes += place_graces(state.graces, state.cursor)
        state.graces = []


def _sounding(state: PartState, element: Element, length: Fraction) -> Note:
    staff = element.find("staff")
    number = integer_of(staff, "a staff") if staff is not None else 1
    if not 1 <= number <= _MAX_STAFF:
        raise at_line(element.line, f"there is no staff {number}")
    pitch = element.find("pitch")
    if pitch is not None:
        key, is_rounded = pitch_of(pitch)
        key += state.transposition(number)
        if is_rounded:
            state.leave_out(_QUARTER_TONES)
    else:
        key = _drum(state, element)
    if not 0 <= key <= 127:
        raise at_line(element.line, "a note is outside MIDI's 128 keys")
    return Note(state.chord_start, length, key, staff=number)


def _drum(state: PartState, element: Element) -> int:
    if not element.has("unpitched"):
        raise at_line(element.line, "a note has neither pitch nor rest")
    instrument = element.find("instrument")
    name = instrument.get("id") if instrument is not None else ""
    known = state.instruments.get(name)
    if instrument is not None and known is None:
        raise at_line(element.line, f"the part list has no instrument {printable(name)}")
    state.part.is_drums = True
    if known is not None and known.drum_key is not None:
        return known.drum_key
    state.leave_out("drums whose sound is not named")
    return _DEFAULT_DRUM


def _notations(state: PartState, note: Note, element: Element, is_grace: bool) -> None:
    notations = element.all("notations")
    ties = {tie.get("type") for tie in element.all("tie")}
    for notation in notations:
        for mark in notation.children:
            if mark.tag == "articulations":
                for articulation in mark.children:
                    note.gate = min(note.gate, _GATES.get(articulation.tag, 1.0))
                    note.boost = max(note.boost, _BOOSTS.get(articulation.tag, 0))
            elif mark.tag == "dynamics":
                take_dynamics(state, note.start, mark)
            elif mark.tag == "ornaments":
                _ornaments(state, mark)
            elif mark.tag in _LEFT_OUT and mark.get("type") != "stop":
                state.leave_out(_LEFT_OUT[mark.tag])
    if not is_grace:
        note.is_tied_on, note.is_tied_back = "start" in ties, "stop" in ties


def _ornaments(state: PartState, ornaments: Element) -> None:
    for ornament in ornaments.children:
        if ornament.tag == "tremolo":
            state.leave_out(_LEFT_OUT["tremolo"])
        elif ornament.tag not in ("accidental-mark", "wavy-line"):
            state.leave_out(_ORNAMENTS)
