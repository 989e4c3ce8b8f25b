"""Standard MIDI Files: what they say, and the file that others get, without its faults.

What is read, and what of a file's faults is forgiven, is `rhythmd.midi.parser`'s.
"""

from array import array
from collections.abc import Iterator
from heapq import merge
from typing import Final

from rhythm_protocol.midi import PITCH_BEND, PROGRAM_CHANGE
from rhythmd.midi.clock import SMPTE
from rhythmd.midi.parser import MidiFile, parse
from rhythmd.midi.reader import NotReadable, duration_ms
from rhythmd.midi.writer import (
    KEY_SIGNATURE,
    SET_TEMPO,
    TEXT,
    TIME_SIGNATURE,
    TRACK_NAME,
    file_head,
    meta_event,
    track_chunk,
)
from rhythmd.rows import ScoreFacts, SheetCategory
from rhythmd.sheets.formats.bounds import RefusedFile, checked_notes, tidy
from rhythmd.sheets.formats.keys import key_name

__all__ = ["read_midi"]

_TICK_SHIFT: Final = 24
_SIGNATURE_REST: Final = {TIME_SIGNATURE: b"\x18\x08", KEY_SIGNATURE: b""}  # clocks a beat, 32nds a quarter


def read_midi(content: bytes) -> tuple[ScoreFacts, bytes]:
    """The facts of a whole file, and the file that others get.

    That is the header and the tracks as they are, if nothing had to be forgiven; else one that is written anew.

    Raises:
        RefusedFile: it cannot be read, or is beyond a bound.
    """
    try:
        file = parse(content)
        facts = _facts(file)
    except NotReadable as error:
        raise RefusedFile(str(error)) from None
    return facts, b"".join(_rewritten(file) if file.warnings else file.chunks)


def _facts(file: MidiFile) -> ScoreFacts:
    if checked_notes(file.heard.notes) == 0:
        raise RefusedFile("it has no notes")
    return ScoreFacts(
        category=SheetCategory.MIDI,
        title=_text(file.found.names.get(0, b"")),
        tempo=round(60_000_000 / _first_tempo(file.found.tempos), 2) if _has_tempo(file) else 0.0,
        key=_first_key(file.found.signatures),
        time_signature=_first_metre(file.found.signatures),
        duration_ms=duration_ms(file),
        notes=file.heard.notes,
        parts=len(file.heard.voices),
        remarks=file.warnings,
    )


def _has_tempo(file: MidiFile) -> bool:
    return bool(file.found.tempos) and not file.division & SMPTE


def _first_tempo(tempos: "array[int]") -> int:
    """Microseconds a quarter that are in force first: of several at one tick the last ones."""
    first = min(tempo >> _TICK_SHIFT for tempo in tempos)
    return next(tempo & 0xFFFFFF for tempo in reversed(tempos) if tempo >> _TICK_SHIFT == first)


def _first(signatures: "array[int]", kind: int) -> tuple[int, int] | None:
    """The two bytes of the first signature of a kind."""
    found = min((each for each in signatures if each >> 16 & 0xFF == kind), key=_tick, default=None)
    return None if found is None else (found >> 8 & 0xFF, found & 0xFF)


def _first_metre(signatures: "array[int]") -> str:
    metre = _first(signatures, TIME_SIGNATURE)
    return "" if metre is None else f"{metre[0]}/{1 << metre[1]}"


def _first_key(signatures: "array[int]") -> str:
    key = _first(signatures, KEY_SIGNATURE)
    if key is None:
        return ""
    return key_name(key[0] - 0x100 if key[0] > 0x7F else key[0], "minor" if key[1] else "major")


def _tick(event: int) -> int:
    return event >> _TICK_SHIFT


def _text(data: bytes) -> str:
    """Text of a file, whose encoding nobody says: UTF-8 today, Latin-1 of old."""
    try:
        return tidy(data.decode())
    except UnicodeDecodeError:
        return tidy(data.decode("latin-1"))


def _rewritten(file: MidiFile) -> Iterator[bytes]:
    """A file of format 1 that says what this one does: a track of tempos and signatures, then its tracks."""
    found = file.found
    yield file_head(len(found.parts) + 1, file.division)
    yield track_chunk(_common(file))
    for part in found.parts:
        name = found.names.get(part.track, b"") if part.track else b""
        yield track_chunk(_events(name, part.events))


def _common(file: MidiFile) -> Iterator[tuple[int, bytes]]:
    found = file.found
    yield from _named(found.names.get(0, b""))
    tempos = (
        (_tick(each), meta_event(SET_TEMPO, (each & 0xFFFFFF).to_bytes(3, "big"))) for each in _in_order(found.tempos)
    )
    signatures = ((_tick(each), _signature(each)) for each in _in_order(found.signatures))
    yield from merge(tempos, signatures, key=lambda event: event[0])
    if file.heard.hanging:  # keys that nobody lets go of last until the end of the piece
        yield found.last_tick, meta_event(TEXT, b"")


def _in_order(events: "array[int]") -> list[int]:
    return sorted(events, key=_tick)


def _tempo(quarter_us: int) -> bytes:
    return meta_event(SET_TEMPO, quarter_us.to_bytes(3, "big"))


def _signature(event: int) -> bytes:
    kind = event >> 16 & 0xFF
    return meta_event(kind, (event & 0xFFFF).to_bytes(2, "big") + _SIGNATURE_REST[kind])


def _named(name: bytes) -> Iterator[tuple[int, bytes]]:
    if name:
        yield 0, meta_event(TRACK_NAME, name)


def _events(name: bytes, events: "array[int]") -> Iterator[tuple[int, bytes]]:
    yield from _named(name)
    for event in events:
        message = (event & 0xFFFFFF).to_bytes(3, "big")
        yield _tick(event), message[:2] if PROGRAM_CHANGE <= message[0] < PITCH_BEND else message
