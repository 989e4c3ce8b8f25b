"""Tempo and metre of a piece, from what a metronome was meanwhile (RP-001, "Set Tempo", "Time Signature")."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import floor
from typing import Final, NamedTuple

from rhythm_protocol.messages import Metronome

__all__ = ["FREE_QUARTER_US", "Grid", "Tempo", "tempo_map"]

MINUTE_US: Final = 60_000_000
LONGEST_QUARTER_US: Final = 0xFFFFFF  # three bytes of a file
FREE_QUARTER_US: Final = 480_000  # before any metronome ran

Change = tuple[int, Metronome | None]
"""When somebody changed the metronome, ms of the server's clock, and what it is from its start on; None for none."""


class Tempo(NamedTuple):
    """From `at_us` of the server's clock on, which is the beginning of a bar.

    Args:
        quarter_us: length of a quarter note.
        beats, unit: a bar has so many notes of this value.
    """

    at_us: float
    quarter_us: int
    beats: int
    unit: int


class _Run(NamedTuple):
    """The metronome's time from one change to the next; it stands still while `metronome` is None."""

    start_us: int
    metronome: Metronome | None


def tempo_map(changes: Iterable[Change], begins_ms: int, ends_ms: int) -> list[Tempo]:
    """The tempos of a piece; none if no metronome ran in it. After a stop the last one goes on.

    Where one runs when the first event is due, the piece begins with the beat before, so that bars are where they were:
    its first bar has only those beats that were left.

    Args:
        changes: in order; the first says how it was before all others.
        begins_ms, ends_ms: when the first event and the last are due.
    """
    tempos: list[Tempo] = []
    runs = _runs(changes)
    begins_us, ends_us = begins_ms * 1_000, ends_ms * 1_000
    for run, following in pairwise([*runs, _Run(ends_us + 1, None)]):
        if run.metronome is not None and following.start_us > begins_us:
            until_us = min(following.start_us, ends_us + 1)
            tempos += (tempo for tempo in _tempos(run.metronome, begins_us) if tempo.at_us < until_us)
    return tempos


def _runs(changes: Iterable[Change]) -> list[_Run]:
    runs: list[_Run] = []
    for at_ms, metronome in changes:
        start_us = at_ms * 1_000 if metronome is None else metronome.start_us
        while runs and runs[-1].start_us >= start_us:  # it was changed before it began
            runs.pop()
        runs.append(_Run(start_us, metronome))
    return runs


def _tempos(metronome: Metronome, begins_us: int) -> list[Tempo]:
    """What a metronome is in a file: one tempo, or two if the piece begins in the middle of its bar."""
    beat_us, unit = MINUTE_US / metronome.bpm, metronome.unit
    while beat_us * unit / 4 > LONGEST_QUARTER_US:
        unit //= 2  # a beat of the next longer note, which lasts as long
    first = Tempo(metronome.start_us, round(beat_us * unit / 4), metronome.beats, unit)
    if begins_us < metronome.start_us:
        return [first]
    passed = floor((begins_us - metronome.start_us) / beat_us)
    gone = passed % metronome.beats
    # To the millisecond, as the events are: so their times from the beginning are whole, too.
    first = first._replace(at_us=floor((metronome.start_us + passed * beat_us) / 1_000) * 1_000)
    if not gone:
        return [first]
    left = metronome.beats - gone
    return [first._replace(beats=left), first._replace(at_us=first.at_us + left * beat_us)]


class _Stretch(NamedTuple):
    """A part of the piece in one tempo: when and at which tick it begins, and how long a tick is."""

    at_us: float
    tick: int
    tick_us: float


class Grid:
    """When each tick of a file is. Every time is rounded by itself to half a tick, so none drifts.

    Args:
        ticks: of a quarter.
        begins_ms: when the first event is due.
        tempos: in order. The piece begins with the first of them, or at `begins_ms`, whichever is earlier.
    """

    def __init__(self, ticks: int, begins_ms: int, tempos: Sequence[Tempo]) -> None:
        self._ticks = ticks
        self.tempos: list[tuple[int, Tempo]] = []
        self._stretches: list[_Stretch] = []
        if not tempos or tempos[0].at_us > begins_ms * 1_000:
            self._stretches.append(_Stretch(begins_ms * 1_000, 0, FREE_QUARTER_US / ticks))
        for tempo in tempos:
            self._turn(tempo)

    def _turn(self, tempo: Tempo) -> None:
        """Go on in `tempo` from the tick that is nearest to its beginning."""
        at_us, tick = tempo.at_us, 0
        if self._stretches:
            last = self._stretches[-1]
            tick = last.tick + round((at_us - last.at_us) / last.tick_us)
            at_us = last.at_us + (tick - last.tick) * last.tick_us
        self._stretches.append(_Stretch(at_us, tick, tempo.quarter_us / self._ticks))
        self.tempos.append((tick, tempo))

    def tick(self, at_ms: int) -> int:
        """The tick that is nearest to a time; 0 for one before the beginning."""
        at_us = at_ms * 1_000.0
        place = bisect_right(self._stretches, at_us, key=_begin) - 1
        stretch = self._stretches[max(0, place)]
        return max(0, stretch.tick + round((at_us - stretch.at_us) / stretch.tick_us))


def _begin(stretch: _Stretch) -> float:
    return stretch.at_us
