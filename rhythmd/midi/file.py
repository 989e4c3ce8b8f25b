"""Standard MIDI Files of what a room played: a track for each player.

Written here and not with a library: a long recording has hundreds of thousands of events, and a tenth of the work for
each is a tenth of the time that a server's other threads wait for the interpreter.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Final

from rhythm_protocol.midi import PITCH_BEND, PROGRAM_CHANGE
from rhythmd.midi.tempo import FREE_QUARTER_US, Grid, Tempo
from rhythmd.midi.writer import SET_TEMPO, TIME_SIGNATURE, TRACK_NAME, file_head, meta_event, track_chunk

__all__ = ["ChannelMessage", "Event", "encode"]

ChannelMessage = tuple[int, int, int]
"""Status, data 1, data 2; data 2 is 0 where MIDI has one data byte."""

Event = tuple[int, ChannelMessage]
"""When it is due, in ms, and what."""

# Without a metronome, a quarter of 480 ticks and 480,000 us: a tick is a millisecond, the wire's unit, and no time is
# rounded. With one, so many ticks that one is shorter than a millisecond in any tempo: each time comes back as it was.
TICKS_PER_QUARTER: Final = 480
FINE_TICKS_PER_QUARTER: Final = 30_720

CLOCKS_PER_WHOLE: Final = 96
THIRTY_SECONDS_PER_QUARTER: Final = 8


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
    common = [*_named(title), *_tempo_changes(grid)]
    chunks = [track_chunk(common)]
    chunks += (track_chunk(chain(_named(name), _messages(events, grid))) for name, events in tracks)
    return file_head(len(chunks), ticks) + b"".join(chunks)


def _named(name: str) -> list[tuple[int, bytes]]:
    return [(0, meta_event(TRACK_NAME, name.encode()))]


def _tempo_changes(grid: Grid) -> Iterator[tuple[int, bytes]]:
    """All tempos and metres; where the piece does not begin with one, first the tempo of no metronome."""
    if not grid.tempos or grid.tempos[0][0]:
        yield 0, meta_event(SET_TEMPO, FREE_QUARTER_US.to_bytes(3, "big"))
    for tick, tempo in grid.tempos:
        unit = tempo.unit.bit_length() - 1  # as a power of two
        metre = bytes((tempo.beats, unit, CLOCKS_PER_WHOLE // tempo.unit, THIRTY_SECONDS_PER_QUARTER))
        yield tick, meta_event(SET_TEMPO, tempo.quarter_us.to_bytes(3, "big"))
        yield tick, meta_event(TIME_SIGNATURE, metre)


def _messages(events: Iterable[Event], grid: Grid) -> Iterator[tuple[int, bytes]]:
    for at_ms, (status, data1, data2) in events:
        is_short = PROGRAM_CHANGE <= status < PITCH_BEND
        yield grid.tick(at_ms), bytes((status, data1)) if is_short else bytes((status, data1, data2))
