"""Standard MIDI Files: what a room played, a track for each player (RP-001, format 1).

Written here and not with a library: a long recording has hundreds of thousands of events, and a tenth of the work for
each is a tenth of the time that a server's other threads wait for the interpreter.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Final

from rhythm_protocol.midi import CHANNEL_PRESSURE, PROGRAM_CHANGE
from rhythmd.midi.tempo import FREE_QUARTER_US, Grid, Tempo

__all__ = ["ChannelMessage", "Event", "encode"]

ChannelMessage = tuple[int, int, int]
"""Status, data 1, data 2; data 2 is 0 where MIDI has one data byte."""

Event = tuple[int, ChannelMessage]
"""When it is due, in ms, and what."""

# Without a metronome, a quarter of 480 ticks and 480,000 us: a tick is a millisecond, the wire's unit, and no time is
# rounded. With one, so many ticks that one is shorter than a millisecond in any tempo: each time comes back as it was.
TICKS_PER_QUARTER: Final = 480
FINE_TICKS_PER_QUARTER: Final = 30_720

FORMAT: Final = 1
TRACK_NAME: Final = 0x03
SET_TEMPO: Final = 0x51
TIME_SIGNATURE: Final = 0x58
CLOCKS_PER_WHOLE: Final = 96
THIRTY_SECONDS_PER_QUARTER: Final = 8
END_OF_TRACK: Final = b"\x00\xff\x2f\x00"

_CHUNK: Final = Struct(">4sI")
_HEAD: Final = Struct(">HHH")
_ONE_DATA_BYTE: Final = range(PROGRAM_CHANGE, CHANNEL_PRESSURE + 0x10)


def encode(
    title: str, tracks: Iterable[tuple[str, Iterable[Event]]], origin_ms: int, tempos: Sequence[Tempo] = ()
) -> bytes:
    """A whole file. Every event is at its time, whatever the tempo.

    Args:
        title: of the piece.
        tracks: each with its name and its events, in order.
        origin_ms: when the first event is due.
        tempos: in order; the piece begins with the first of them if that is before `origin_ms`.
    """
    ticks = FINE_TICKS_PER_QUARTER if tempos else TICKS_PER_QUARTER
    grid = Grid(ticks, origin_ms, tempos)
    head = _meta(TRACK_NAME, title.encode()) + b"".join(_tempo_changes(grid))
    chunks = [_track(head)]
    chunks += (_track(_meta(TRACK_NAME, name.encode()), _messages(events, grid)) for name, events in tracks)
    return _chunk(b"MThd", _HEAD.pack(FORMAT, len(chunks), ticks)) + b"".join(chunks)


def _tempo_changes(grid: Grid) -> Iterator[bytes]:
    """All tempos and metres; where the piece does not begin with one, first the tempo of no metronome."""
    if not grid.tempos or grid.tempos[0][0]:
        yield _meta(SET_TEMPO, FREE_QUARTER_US.to_bytes(3, "big"))
    before = 0
    for tick, tempo in grid.tempos:
        unit = tempo.unit.bit_length() - 1  # as a power of two
        metre = bytes((tempo.beats, unit, CLOCKS_PER_WHOLE // tempo.unit, THIRTY_SECONDS_PER_QUARTER))
        yield _meta(SET_TEMPO, tempo.quarter_us.to_bytes(3, "big"), tick - before) + _meta(TIME_SIGNATURE, metre)
        before = tick


def _chunk(kind: bytes, content: bytes) -> bytes:
    return _CHUNK.pack(kind, len(content)) + content


def _track(head: bytes, messages: Iterable[bytes] = ()) -> bytes:
    return _chunk(b"MTrk", b"".join((head, *messages, END_OF_TRACK)))


def _meta(kind: int, content: bytes, ticks: int = 0) -> bytes:
    return b"".join((_quantity(ticks), bytes((0xFF, kind)), _quantity(len(content)), content))


def _messages(events: Iterable[Event], grid: Grid) -> Iterator[bytes]:
    before = 0
    for at_ms, (status, data1, data2) in events:
        tick = grid.tick(at_ms)
        yield _quantity(tick - before)
        yield bytes((status, data1)) if status in _ONE_DATA_BYTE else bytes((status, data1, data2))
        before = tick


def _quantity(number: int) -> bytes:
    """A number in the file's form: seven bits a byte, the highest first, the top bit set on all but the last."""
    if number < 0x80:
        return bytes((number,))
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
