"""Standard MIDI Files (RP-001) of formats 0 and 1, plain or in a RIFF file (RMID): what they say, and whether they do.

Written here and not with a library: five megabytes are more than a million events, and an object for each of them is
most of a worker's memory.
"""

from typing import Final, NamedTuple

from msgspec import Struct, field

from rhythmd.rows import ScoreFacts, SheetCategory
from rhythmd.sheets.formats.bounds import MAX_DURATION_MS, RefusedFile, at_byte, checked_events, checked_notes, tidy
from rhythmd.sheets.formats.keys import MAX_SHARPS, key_name
from rhythmd.sheets.formats.performance import milliseconds

__all__ = ["read_midi", "unwrap_riff"]

_HEAD_BYTES: Final = 8  # of a chunk: four letters and a length
_TRACK_NAME: Final = 0x03
_END_OF_TRACK: Final = 0x2F
_SET_TEMPO: Final = 0x51
_TIME_SIGNATURE: Final = 0x58
_KEY_SIGNATURE: Final = 0x59

# Meta events whose length the standard fixes; any other may have any.
_META_BYTES: Final = {0x20: 1, 0x21: 1, _END_OF_TRACK: 0, _SET_TEMPO: 3, 0x54: 5, _TIME_SIGNATURE: 4, _KEY_SIGNATURE: 2}
_MAX_BEAT_EXPONENT: Final = 10
_MAX_QUANTITY_BYTES: Final = 4
_ONE_DATA_BYTE: Final = range(0xC0, 0xE0)
_SMPTE_RATES: Final = {24: 24.0, 25: 25.0, 29: 30_000 / 1_001, 30: 30.0}


class _Head(NamedTuple):
    """The header chunk: `per_second` is ticks a second with SMPTE time, else 0."""

    format: int
    tracks: int
    ticks_per_quarter: int
    per_second: float


class _Findings(Struct):
    """What the tracks say, gathered event by event.

    Attributes:
        events: of any kind.
        end, last: the tick of the last press or release, and that of the last event, where a room's play ends.
        voices: pairs of track and channel that have notes.
    """

    events: int = 0
    notes: int = 0
    end: int = 0
    last: int = 0
    voices: set[tuple[int, int]] = field(default_factory=set)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    metres: list[tuple[int, str]] = field(default_factory=list)
    keys: list[tuple[int, str]] = field(default_factory=list)
    title: str = ""


def unwrap_riff(content: bytes) -> bytes:
    """The Standard MIDI File inside a RIFF file of type RMID.

    Raises:
        RefusedFile: there is none.
    """
    position = 12
    while position + _HEAD_BYTES <= len(content):
        kind, size = content[position : position + 4], int.from_bytes(content[position + 4 : position + 8], "little")
        if size > len(content) - position - _HEAD_BYTES:
            raise at_byte(position, f"a RIFF chunk of {size:,} bytes goes beyond the file's end")
        if kind == b"data":
            return _midi_of(content[position + _HEAD_BYTES : position + _HEAD_BYTES + size], position)
        position += _HEAD_BYTES + size + size % 2
    raise at_byte(position, "the RIFF file has no MIDI data")


def _midi_of(data: bytes, position: int) -> bytes:
    if not data.startswith(b"MThd"):
        raise at_byte(position, "the data in the RIFF file are no MIDI file")
    return data


def read_midi(content: bytes) -> tuple[ScoreFacts, bytes]:
    """The facts of a whole file, and its header and tracks without what else is in it, which readers stumble over.

    Raises:
        RefusedFile: it does not parse, is of another format, or is beyond a bound.
    """
    head = _head(content)
    found = _Findings()
    position, tracks = _HEAD_BYTES + int.from_bytes(content[4:8], "big"), 0
    kept = [content[:position]]
    while tracks < head.tracks and position < len(content):
        start, end, is_track = _chunk(content, position)
        if is_track:
            _Track(content, start, end, tracks, found).read()
            tracks += 1
            kept.append(content[position:end])
        position = end
    if tracks < head.tracks:
        raise at_byte(position, f"the header says {head.tracks} tracks, and the file ends after {tracks}")
    return _facts(head, found), b"".join(kept)


def _head(content: bytes) -> _Head:
    if len(content) < 14 or int.from_bytes(content[4:8], "big") < 6:
        raise at_byte(4, "the header is cut off")
    form, tracks, division = (int.from_bytes(content[at : at + 2], "big") for at in (8, 10, 12))
    if form > 1:
        raise at_byte(8, f"MIDI files of format {form} are not supported, only 0 and 1")
    if tracks == 0 or (form == 0 and tracks != 1):
        raise at_byte(10, f"a file of format {form} cannot have {tracks} tracks")
    if division & 0x8000:
        rate = _SMPTE_RATES.get(256 - (division >> 8))
        if rate is None or division & 0xFF == 0:
            raise at_byte(12, "the unit of time is none of the standard's")
        return _Head(form, tracks, 0, rate * (division & 0xFF))
    if division == 0:
        raise at_byte(12, "a quarter note has no ticks")
    return _Head(form, tracks, division, 0)


def _chunk(content: bytes, position: int) -> tuple[int, int, bool]:
    """Where a chunk's content begins and ends, and whether it is a track."""
    if position + _HEAD_BYTES > len(content):
        raise at_byte(position, "the file ends inside a chunk's head")
    size = int.from_bytes(content[position + 4 : position + 8], "big")
    start = position + _HEAD_BYTES
    if size > len(content) - start:
        raise at_byte(position, f"a chunk says it has {size:,} bytes, and {len(content) - start:,} are left")
    return start, start + size, content[position : position + 4] == b"MTrk"


class _Track:
    """One track, read event by event.

    Args:
        content: of the whole file.
        position, end: of the track in it, after its head.
        number: of the track, the first being 0.
        found: what is read is added to this.
    """

    def __init__(self, content: bytes, position: int, end: int, number: int, found: _Findings) -> None:
        self._content = content
        self._position = position
        self._end = end
        self._number = number
        self._found = found
        self._tick = 0
        self._is_over = False

    def read(self) -> None:
        status = 0
        while self._position < self._end:
            self._found.events = checked_events(self._found.events + 1)
            if self._is_over:
                raise at_byte(self._position, "the track goes on after its end event")
            self._tick += self._quantity()
            start, first = self._position, self._byte()
            if first == 0xFF:
                self._meta(start)
            elif first in (0xF0, 0xF7):
                self._exclusive(start)
                status = 0
            elif first > 0xF0:
                raise at_byte(start, f"status {first:#x} does not belong into a file")
            elif first >= 0x80:
                status = first
                self._message(status, self._byte())
            elif status:
                self._message(status, first)
            else:
                raise at_byte(start, "a data byte stands where an event should begin")
        self._found.last = max(self._found.last, self._tick)

    def _message(self, status: int, data1: int) -> None:
        data2 = 0 if status in _ONE_DATA_BYTE else self._byte()
        if data1 > 0x7F or data2 > 0x7F:
            raise at_byte(self._position - 1, "a status byte stands inside an event")
        if status < 0xA0:
            self._found.end = max(self._found.end, self._tick)
            if status >= 0x90 and data2:
                self._found.notes += 1
                self._found.voices.add((self._number, status & 0x0F))

    def _exclusive(self, start: int) -> None:
        size = self._quantity()
        data = self._content[self._position : self._position + size].removesuffix(b"\xf7")
        self._skip(size)
        if data and max(data) > 0x7F:
            raise at_byte(start, "a system exclusive event holds a status byte")

    def _meta(self, start: int) -> None:
        kind = self._byte()
        size = self._quantity()
        data = self._content[self._position : self._position + size]
        self._skip(size)
        if size != _META_BYTES.get(kind, size):
            raise at_byte(start, f"a meta event {kind:#04x} has {size} bytes, not {_META_BYTES[kind]}")
        if kind == _END_OF_TRACK:
            self._is_over = True
        elif kind == _TRACK_NAME and self._number == 0 and not self._found.title:
            self._found.title = _text(data)
        elif kind == _SET_TEMPO:
            self._tempo(start, int.from_bytes(data, "big"))
        elif kind == _TIME_SIGNATURE:
            self._metre(start, data[0], data[1])
        elif kind == _KEY_SIGNATURE:
            self._key(start, data[0], data[1])

    def _tempo(self, start: int, tempo_us: int) -> None:
        if tempo_us == 0:
            raise at_byte(start, "a quarter note lasts no time")
        self._found.tempos.append((self._tick, tempo_us))

    def _metre(self, start: int, beats: int, exponent: int) -> None:
        if beats == 0 or exponent > _MAX_BEAT_EXPONENT:
            raise at_byte(start, f"{beats} beats of 1/2^{exponent} are no time signature")
        self._found.metres.append((self._tick, f"{beats}/{1 << exponent}"))

    def _key(self, start: int, byte: int, mode: int) -> None:
        sharps = byte - 0x100 if byte > 0x7F else byte
        if abs(sharps) > MAX_SHARPS or mode > 1:
            raise at_byte(start, f"{sharps} sharps in mode {mode} are no key signature")
        self._found.keys.append((self._tick, key_name(sharps, "minor" if mode else "major")))

    def _byte(self) -> int:
        if self._position >= self._end:
            raise at_byte(self._position, "the track ends inside an event")
        self._position += 1
        return self._content[self._position - 1]

    def _quantity(self) -> int:
        """A number of seven bits a byte, the top bit set on all but the last."""
        start, value = self._position, 0
        while self._position - start < _MAX_QUANTITY_BYTES:
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise at_byte(start, f"a number is longer than {_MAX_QUANTITY_BYTES} bytes")

    def _skip(self, size: int) -> None:
        if size > self._end - self._position:
            raise at_byte(self._position, f"an event of {size:,} bytes goes beyond its track's end")
        self._position += size


def _text(data: bytes) -> str:
    """Text of a file, whose encoding nobody says: UTF-8 today, Latin-1 of old."""
    try:
        return tidy(data.decode())
    except UnicodeDecodeError:
        return tidy(data.decode("latin-1"))


def _facts(head: _Head, found: _Findings) -> ScoreFacts:
    if checked_notes(found.notes) == 0:
        raise RefusedFile("it has no notes")
    found.tempos.sort(key=lambda change: change[0])
    if _milliseconds(head, found, found.last) > MAX_DURATION_MS:
        raise RefusedFile(f"it lasts longer than {MAX_DURATION_MS // 3_600_000} hours")
    has_tempo = bool(found.tempos) and not head.per_second
    return ScoreFacts(
        category=SheetCategory.MIDI,
        title=found.title,
        tempo=round(60_000_000 / _first_tempo(found.tempos), 2) if has_tempo else 0.0,
        key=min(found.keys, key=lambda change: change[0])[1] if found.keys else "",
        time_signature=min(found.metres, key=lambda change: change[0])[1] if found.metres else "",
        duration_ms=_milliseconds(head, found, found.end),
        notes=found.notes,
        parts=len(found.voices),
    )


def _first_tempo(tempos: list[tuple[int, int]]) -> int:
    """Microseconds a quarter that are in force first: of several at one tick the last ones."""
    return next(tempo_us for tick, tempo_us in reversed(tempos) if tick == tempos[0][0])


def _milliseconds(head: _Head, found: _Findings, tick: int) -> int:
    """When `tick` is due; the tempos are in order."""
    if head.per_second:
        return round(tick / head.per_second * 1_000)
    return milliseconds(tick, found.tempos, head.ticks_per_quarter)
