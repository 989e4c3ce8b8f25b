"""Standard MIDI Files parsed: the one place where their bytes are read, for `rhythmd play` and for the library.

It forgives what does not matter to a listener, and says what it forgave. It is written here and not a library's: mido
drops the time of each meta event that it does not know, and refuses files for a key signature, a controller's value or
an unknown chunk; pretty_midi reads by mido. symusic keeps times, but not the order of messages, and refuses SMPTE time,
a controller's value and files that are cut off. None of them says what it left out.

What is bounded: time grows with the bytes, each of which is read at most twice; an event is eight bytes; there are at
most `MOST_EVENTS` events and `MOST_TRACKS` tracks.
"""

from struct import Struct
from typing import Final, NamedTuple

from rhythmd.midi.clock import SMPTE, TEMPO_US
from rhythmd.midi.forgiving import Forgiven, NotReadable
from rhythmd.midi.parts import Heard, on_one_port, survey
from rhythmd.midi.pauses import shorten
from rhythmd.midi.track import CUT_OFF, PADDING, Budget, Findings, Track

__all__ = ["MOST_TRACKS", "MidiFile", "find_midi", "parse"]

MOST_TRACKS: Final = 65_534  # with one for the tempos, no more than a header can say
MOST_JUNK: Final = 4_096  # bytes before the header, such as MacBinary's 128
SMPTE_RATES: Final = (24, 25, 29, 30)
SEQUENCES: Final = 2
"""The format in which each track is a piece."""

TICKS: Final = 480
FRAME_TICKS: Final = 40
"""Of a quarter and of a frame of film, where a header says 0."""

_CHUNK: Final = Struct(">4sI")
_RIFF_CHUNK: Final = Struct("<4sI")
_RIFF_HEAD: Final = 12
_FIELDS: Final = Struct(">HHH")
_BEGINNING: Final = b"MThd\0\0\0"  # no text has that
_PRINTABLE: Final = range(0x20, 0x7F)

_NO_HEADER: Final = "a MIDI file begins with MThd"
_NO_HEADER_IN_RIFF: Final = "the RIFF file has no MIDI data"
_JUNK_BEFORE: Final = "what is before the header is left out"
_JUNK: Final = "what is no chunk is left out"
_RIFF_CUT_OFF: Final = "the RIFF file is cut off"
_RIFF_SIZE: Final = "the data in the RIFF file are longer than it says"
_HEADER_SIZE: Final = "the header has a wrong length"
_FORMAT: Final = "the format is unknown, and taken as 1"
_ONE_TRACK: Final = "a file of format 0 has several tracks, which are played together"
_ONE_BY_ONE: Final = "the tracks of a file of format 2 are played one after the other"
_COUNT: Final = "the header has a wrong number of tracks"
_NO_TICKS: Final = "a beat has no ticks, and is taken to have as many as is usual"
_FRAMES: Final = "the frames a second are none of the standard's four"
_SECOND_FILE: Final = "another file follows and is left out"
_TOO_MANY: Final = f"tracks after the first {MOST_TRACKS:,} are left out"
_CUT_FILE: Final = "the file is cut off in a track"
_NO_END: Final = "a track has no end event"
_SHORTER: Final = "a track is shorter than it says"
_LONGER: Final = "a track is longer than it says"
_EARLY_END: Final = "releases of a track's last notes that follow its end event are taken"
_AFTER_END: Final = "what follows a track's end event is left out"
_NEVER_ENDED: Final = "notes that are never ended last until the end of the piece"


class MidiFile(NamedTuple):
    """What a file says, in whatever format it is.

    Args:
        division: as a header has it: ticks of a quarter, or of a frame of film; never 0.
        chunks: the header and the tracks, as they are in the file.
        tracks: how many there are.
        found: of all tracks. Their ticks are those of one piece, and their channels are those of one port.
        heard: what of it sounds.
        warnings: what was forgiven, a sentence each with the byte of its first place.
    """

    division: int
    chunks: list[bytes]
    tracks: int
    found: Findings
    heard: Heard
    warnings: tuple[str, ...]


def find_midi(content: bytes) -> int:
    """Where a Standard MIDI File, or the RIFF file that should hold one, begins in `content`; -1 if there is none."""
    return 0 if content[:4] == b"RIFF" and content[8:12] == b"RMID" else _find(content, MOST_JUNK)


def _find(content: bytes, limit: int) -> int:
    """Where a header begins, before `limit`."""
    return 0 if content.startswith(b"MThd") else content.find(_BEGINNING, 0, limit + len(_BEGINNING))


def parse(content: bytes) -> MidiFile:
    """All that a file says. It computes for up to some seconds, and rests often: run it in a thread or a process.

    Raises:
        NotReadable: it has no header, or more than is bounded.
    """
    return _Parser(content).parse()


class _Parser:
    """The reading of one file."""

    def __init__(self, content: bytes) -> None:
        self._content = content + PADDING
        self._end = len(content)
        self._forgiven = Forgiven()
        self._budget = Budget()
        self._found = Findings()
        self._format = 1
        self._is_in_riff = False
        self._tracks = 0
        self._chunks: list[bytes] = []

    def parse(self) -> MidiFile:
        content, start = self._content, self._start()
        if start + _CHUNK.size + _FIELDS.size > self._end:
            raise NotReadable("the header is cut off", start)
        self._format, count, division = _FIELDS.unpack_from(content, start + _CHUNK.size)
        at = self._after_head(start)
        division = self._check_head(start, 0 if at < start + _CHUNK.size + _FIELDS.size else division)
        self._chunks.append(content[start:at])
        self._read_chunks(at)
        if self._format == 0 and self._tracks > 1:
            self._forgiven.add(_ONE_TRACK, start + 10)
        elif count != self._tracks:
            self._forgiven.add(_COUNT, start + 10)
        self._found.parts = on_one_port(self._found.parts, self._forgiven)
        shorten(self._found, division, self._forgiven)
        heard = survey(self._found.parts)
        if heard.hanging:
            self._forgiven.add(_NEVER_ENDED, self._end)
        return MidiFile(division, self._chunks, self._tracks, self._found, heard, self._forgiven.lines())

    def _start(self) -> int:
        """Where the header is; what is behind a RIFF file's data does not count any more."""
        content = self._content
        start = self._unwrap_riff() if content.startswith(b"RIFF") else _find(content, MOST_JUNK)
        if start < 0:
            raise NotReadable(_NO_HEADER_IN_RIFF if content[8:12] == b"RMID" else _NO_HEADER, 0)
        if start and not self._is_in_riff:
            self._forgiven.add(_JUNK_BEFORE, 0)
        return start

    def _unwrap_riff(self) -> int:
        """Where the header in a RIFF file is; if the file is not put together as it should be, it may be anywhere."""
        content, at = self._content, _RIFF_HEAD
        while at + _RIFF_CHUNK.size <= self._end:
            kind, size = _RIFF_CHUNK.unpack_from(content, at)
            at += _RIFF_CHUNK.size
            if kind == b"data" and content[at : at + 4] == b"MThd":
                self._is_in_riff = True
                self._end_riff(at, size)
                return at
            at += size + size % 2
        return _find(content, self._end)

    def _end_riff(self, at: int, size: int) -> None:
        """Leave out what is behind the data, if they are as long as is said."""
        end = at + size
        if end > self._end:
            self._forgiven.add(_RIFF_CUT_OFF, at - 4)
        elif self._is_riff_border(end) or self._is_riff_border(end + end % 2):
            self._end = end
        else:
            self._forgiven.add(_RIFF_SIZE, at - 4)

    def _is_riff_border(self, at: int) -> bool:
        """Whether the RIFF file ends here, or a whole chunk of it begins."""
        if at in (self._end, _RIFF_CHUNK.size + _RIFF_CHUNK.unpack_from(self._content)[1]):
            return True
        if at + _RIFF_CHUNK.size > self._end:
            return False
        name, size = _RIFF_CHUNK.unpack_from(self._content, at)
        return at + _RIFF_CHUNK.size + size <= self._end and all(letter in _PRINTABLE for letter in name)

    def _check_head(self, start: int, division: int) -> int:
        """The division to count with."""
        if not (division & 0xFF if division & SMPTE else division):
            self._forgiven.add(_NO_TICKS, start + 12)
            division |= FRAME_TICKS if division & SMPTE else TICKS
        if division & SMPTE and 0x100 - (division >> 8) not in SMPTE_RATES:
            self._forgiven.add(_FRAMES, start + 12)
        if self._format > SEQUENCES:
            self._forgiven.add(_FORMAT, start + 8)
        if self._format == SEQUENCES:
            self._forgiven.add(_ONE_BY_ONE, start + 8)
        return division

    def _after_head(self, start: int) -> int:
        """Where the first chunk behind the header is, whatever the header's length says."""
        _, size = _CHUNK.unpack_from(self._content, start)
        at: int = start + _CHUNK.size + size
        if size >= _FIELDS.size and at <= self._end and self._is_border(at):
            return at
        first = start + _CHUNK.size + _FIELDS.size
        if size != _FIELDS.size:
            self._forgiven.add(_HEADER_SIZE, start + 4)
            if size < _FIELDS.size and self._is_track(at):  # and what was read of it as a number is none
                return at
        return first

    def _read_chunks(self, at: int) -> None:
        content = self._content
        while at < self._end:
            if self._is_track(at):
                if self._tracks == MOST_TRACKS:
                    self._forgiven.add(_TOO_MANY, at)
                    return
                start, at = at, self._read_track(at + _CHUNK.size)
                self._chunks.append(content[start:at])
            elif self._is_chunk(at):
                name, size = _CHUNK.unpack_from(content, at)
                if name == b"MThd":
                    self._forgiven.add(_SECOND_FILE, at)
                    return
                at += _CHUNK.size + size
            else:
                self._forgiven.add(_JUNK, at)
                at = self._next_track(at + 1, self._end)

    def _is_track(self, at: int) -> bool:
        return at + _CHUNK.size <= self._end and self._content[at : at + 4] == b"MTrk"

    def _is_chunk(self, at: int) -> bool:
        """Whether a whole chunk begins here: four letters, and a length that is there."""
        if at + _CHUNK.size > self._end:
            return False
        name, size = _CHUNK.unpack_from(self._content, at)
        return size <= self._end - at - _CHUNK.size and all(letter in _PRINTABLE for letter in name)

    def _is_border(self, at: int) -> bool:
        return at == self._end or self._is_track(at) or self._is_chunk(at)

    def _next_track(self, at: int, limit: int) -> int:
        """Where the next track begins before `limit`, else `limit`."""
        found: int = self._content.find(b"MTrk", at, limit + 3)
        return limit if found < 0 else found

    def _read_track(self, start: int) -> int:
        """The track whose first event is at `start`; where the next chunk is."""
        number, self._tracks = self._tracks, self._tracks + 1
        first_tick = self._found.last_tick if self._format == SEQUENCES else 0
        if self._format == SEQUENCES:
            self._found.tempos.append(first_tick << 24 | TEMPO_US)
        track = Track(self._content, number, start, first_tick, self._budget)
        says = start + int.from_bytes(self._content[start - 4 : start], "big")
        limit = min(says, self._end)
        if not self._is_border(says):
            limit = self._next_track(start, limit)
        is_over = track.read(limit)
        following = self._after_end(track, says, limit) if is_over else limit
        self._absorb(track)
        if is_over:
            return following
        if limit == says:
            rest = track.rest()
            is_over = not self._is_border(says) and rest.read(self._next_track(says, self._end))
            if is_over:
                self._forgiven.add(_LONGER, start - 4)
                self._absorb(rest)
                return rest.at
        elif says > self._end and limit == self._end:
            self._forgiven.add(_CUT_FILE, start - 4)
        if track.at < limit:
            self._forgiven.add(CUT_OFF, track.at)
        self._forgiven.add(_NO_END, limit)
        return limit

    def _after_end(self, track: Track, says: int, limit: int) -> int:
        """Where the next chunk is, behind a track that has its end event."""
        if track.at == says:
            return says
        following = self._next_track(track.at, min(says, self._end))
        if following == track.at or says > self._end:
            self._forgiven.add(_SHORTER, track.at)
        elif limit == says and track.take_late_releases(following):
            self._forgiven.add(_EARLY_END, track.at)
        else:
            self._forgiven.add(_AFTER_END, track.at)
        return following

    def _absorb(self, track: Track) -> None:
        found, more = self._found, track.found
        found.parts += more.parts
        found.tempos += more.tempos
        found.signatures += more.signatures
        found.last_tick = max(found.last_tick, more.last_tick)
        for number, name in more.names.items():
            found.names.setdefault(number, name)
        self._forgiven.absorb(track.forgiven)
