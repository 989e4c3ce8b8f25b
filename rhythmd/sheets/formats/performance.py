"""A piece as it sounds, repeats played, and the Standard MIDI File of it (RP-001, format 1).

The first track has tempo, metre and key; each other one is a hand, a voice or a player.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

from msgspec import Struct, field

from rhythmd.midi.clock import TEMPO_US as DEFAULT_TEMPO_US
from rhythmd.midi.writer import KEY_SIGNATURE, SET_TEMPO, TIME_SIGNATURE, TRACK_NAME, file_head, meta_event, track_chunk
from rhythmd.sheets.formats.bounds import MAX_DURATION_MS, RefusedFile, checked_events, checked_notes

__all__ = ["DEFAULT_TEMPO_US", "TICKS_PER_QUARTER", "Performance", "Sounding", "Track", "milliseconds", "write"]

TICKS_PER_QUARTER: Final = 960
"""Triplets, quintuplets and 256th notes are whole numbers; a septuplet is wrong by half of a tick at most."""

_SLOWEST_TEMPO_US: Final = 0xFF_FF_FF
_NOTE_OFF: Final = 0x80
_NOTE_ON: Final = 0x90
_CONTROL: Final = 0xB0
_PROGRAM: Final = 0xC0
_SUSTAIN: Final = 64

# Of what is due at one tick, this comes first: a key is released before it is pressed again.
_RELEASE, _CHANGE, _PRESS = range(3)


class Sounding(NamedTuple):
    """A note as it sounds: ticks from the beginning, a MIDI key, a velocity of 1 to 127."""

    start: int
    end: int
    key: int
    velocity: int


class Track(Struct):
    """What one hand, voice or player does on a channel of 0 to 15; `pedal` is a tick and the value of CC 64 each."""

    name: str
    channel: int = 0
    program: int | None = None
    notes: list[Sounding] = field(default_factory=list)
    pedal: list[tuple[int, int]] = field(default_factory=list)


class Performance(Struct):
    """All tracks with what they have in common.

    Attributes:
        tempos: tick and microseconds a quarter of each change, in order.
        metres: tick, beats and beat type ("6/8" is 6 and 8) of each change, in order.
        keys: tick, sharps (flats are negative) and whether the mode is minor, in order.
    """

    title: str = ""
    ticks_per_quarter: int = TICKS_PER_QUARTER
    tempos: list[tuple[int, int]] = field(default_factory=list)
    metres: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)

    @property
    def notes(self) -> int:
        """How many notes sound."""
        return sum(len(track.notes) for track in self.tracks)

    @property
    def parts(self) -> int:
        """How many tracks have notes."""
        return sum(1 for track in self.tracks if track.notes)

    @property
    def events(self) -> int:
        """How many events of any kind the file has, at most."""
        common = len(self.tempos) + len(self.metres) + len(self.keys)
        pedals = sum(len(track.pedal) for track in self.tracks)
        return 2 * self.notes + pedals + common + 3 * (len(self.tracks) + 1)

    @property
    def duration_ms(self) -> int:
        """When the last key is released."""
        end = max((note.end for track in self.tracks for note in track.notes), default=0)
        return milliseconds(end, self.tempos, self.ticks_per_quarter)

    @property
    def _last_tick(self) -> int:
        """Where the last event of any kind is, in the silence after the last note, too."""
        ticks = [changes[-1][0] for changes in (self.tempos, self.metres, self.keys) if changes]
        for track in self.tracks:
            ticks += (note.end for note in track.notes)
            ticks += (tick for tick, _ in track.pedal)
        return max(ticks, default=0)

    def clean(self) -> None:
        """Let each key of a channel sound once at a time, as it does on a piano.

        Raises:
            RefusedFile: no note is left, there are too many notes or events, or they last too long.
        """
        checked_notes(self.notes)
        for channel in {track.channel for track in self.tracks}:
            tracks = [track for track in self.tracks if track.channel == channel]
            played = _one_at_a_time((number, note) for number, track in enumerate(tracks) for note in track.notes)
            for track in tracks:
                track.notes = []
            for number, note in played:
                tracks[number].notes.append(note)
        if not self.notes:
            raise RefusedFile("it has no notes")
        checked_events(self.events)
        if milliseconds(self._last_tick, self.tempos, self.ticks_per_quarter) > MAX_DURATION_MS:
            raise RefusedFile(f"it lasts longer than {MAX_DURATION_MS // 3_600_000} hours")


def milliseconds(tick: int, tempos: Sequence[tuple[int, int]], ticks_per_quarter: int) -> int:
    """When `tick` is due. `tempos` are in order; before the first one it is the default."""
    microticks, since, tempo = 0, 0, DEFAULT_TEMPO_US
    for change, tempo_us in tempos:
        if change >= tick:
            break
        microticks += (change - since) * tempo
        since, tempo = change, tempo_us
    return round((microticks + (tick - since) * tempo) / (ticks_per_quarter * 1_000))


def _one_at_a_time(notes: Iterable[tuple[int, Sounding]]) -> list[tuple[int, Sounding]]:
    """The notes of a channel in order, each with the number of its track, without two at once on a key.

    Of those that begin together one stays, as long as the longest and as loud as the loudest. A repeated press ends the
    note before it, and lasts until the later of both ends.

    Players put tracks together in any order, so that a release in one may come after a press in another at the same
    tick. Where another track strikes a key, the note before ends a tick earlier; if it is no longer than that, the next
    one goes into its track.
    """
    last: dict[int, int] = {}
    result: list[tuple[int, Sounding]] = []
    audible = [(number, note if note.end > note.start else note._replace(end=note.start + 1)) for number, note in notes]
    for number, note in sorted(audible, key=lambda each: (each[1].start, *each)):
        index = last.get(note.key)
        holder, before = (number, None) if index is None else result[index]
        if index is None or before is None or before.end < note.start:
            last[note.key] = len(result)
            result.append((number, note))
        elif before.start == note.start:
            velocity = max(before.velocity, note.velocity)
            result[index] = holder, before._replace(end=max(before.end, note.end), velocity=velocity)
        else:
            owner = number if note.start - before.start > 1 else holder
            result[index] = holder, before._replace(end=note.start - (owner != holder))
            last[note.key] = len(result)
            result.append((owner, note._replace(end=max(before.end, note.end))))
    return result


def write(performance: Performance, file: BinaryIO) -> None:
    """Write the Standard MIDI File of it, one track in memory at a time."""
    parts = [part for part in performance.tracks if part.notes]
    file.write(file_head(len(parts) + 1, performance.ticks_per_quarter))
    file.write(track_chunk(_common(performance)))
    for part in parts:
        file.write(track_chunk(_events(part)))


def _common(performance: Performance) -> list[tuple[int, bytes]]:
    events = [(0, meta_event(TRACK_NAME, performance.title.encode()))] if performance.title else []
    events += [(tick, meta_event(SET_TEMPO, _tempo(tempo))) for tick, tempo in performance.tempos]
    events += [(tick, meta_event(TIME_SIGNATURE, _metre(beats, type_))) for tick, beats, type_ in performance.metres]
    events += [
        (tick, meta_event(KEY_SIGNATURE, bytes((sharps & 0xFF, is_minor))))
        for tick, sharps, is_minor in performance.keys
    ]
    events.sort(key=lambda event: event[0])
    return events


def _tempo(tempo_us: int) -> bytes:
    return max(1, min(tempo_us, _SLOWEST_TEMPO_US)).to_bytes(3, "big")


def _metre(beats: int, beat_type: int) -> bytes:
    return bytes((min(beats, 255), beat_type.bit_length() - 1, 24, 8))


def _events(part: Track) -> list[tuple[int, bytes]]:
    events = [(0, meta_event(TRACK_NAME, part.name.encode()))]
    if part.program is not None:
        events.append((0, bytes((_PROGRAM | part.channel, part.program))))
    played = sorted(_messages(part))
    return events + [(tick, message) for tick, _, message in played]


def _messages(part: Track) -> Iterator[tuple[int, int, bytes]]:
    channel = part.channel
    for start, end, key, velocity in part.notes:
        yield start, _PRESS, bytes((_NOTE_ON | channel, key, velocity))
        yield end, _RELEASE, bytes((_NOTE_OFF | channel, key, 0))
    for tick, value in part.pedal:
        yield tick, _CHANGE, bytes((_CONTROL | channel, _SUSTAIN, value))
