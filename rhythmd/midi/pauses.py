"""What makes a piece absurdly long is taken out: pauses of hours, and what would come after a day.

One delta time with a wrong bit is a pause of a day or a week. What is before it and behind it is music all the same.
"""

import time
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, count
from typing import Final, NamedTuple

from rhythm_protocol.midi import NOTE_OFF, NOTE_ON
from rhythmd.midi.clock import Clock
from rhythmd.midi.forgiving import Forgiven
from rhythmd.midi.track import END_TICK, Findings, Part

__all__ = ["LONGEST_MS", "shorten"]

LONGEST_MS: Final = 86_400_000
"""Of a piece."""

LONGEST_PAUSE_MS: Final = 600_000
PAUSE_MS: Final = 2_000
REST_EVERY: Final = 4_096
REST_S: Final = 0.0001

_PAUSE: Final = "nothing happens for more than ten minutes, of which two seconds are left"
_TAIL: Final = "what comes more than ten minutes after the last note is left out"
_DAY: Final = "what comes after the first day is left out"

Gap = tuple[int, int]
"""The tick after which nothing happens, and the one at which something does."""


class _Cut(NamedTuple):
    """A gap, and how many of its ticks are left."""

    start: int
    end: int
    left: int


def shorten(found: Findings, division: int, forgiven: Forgiven) -> None:
    """Shorten each long gap in which no track has a channel message, whether it is silent or a note is held.

    Tempos and signatures within it move along. What is later than a day, or long after the last key, is left out.
    """
    if Clock(division, found.tempos).ms(found.last_tick) <= LONGEST_PAUSE_MS:
        return
    cuts = _cuts(_gaps(found, division), _last_key(found), Clock(division, found.tempos))
    if cuts:
        forgiven.add(_PAUSE, 0)
        _take_out(found, cuts)
    clock = Clock(division, found.tempos)
    last_ms = clock.ms(_last_key(found))
    ends_ms = min(LONGEST_MS, last_ms + LONGEST_PAUSE_MS)
    if clock.ms(found.last_tick) > ends_ms:
        forgiven.add(_DAY if last_ms > LONGEST_MS else _TAIL, 0)
        _end(found, division, ends_ms)


def _last_key(found: Findings) -> int:
    """The tick of the last press or release; 0 if there is none."""
    return max(map(_last_key_of, found.parts), default=0)


def _last_key_of(part: Part) -> int:
    return next((event >> 24 for event in reversed(part.events) if event >> 16 & 0xF0 in (NOTE_ON, NOTE_OFF)), 0)


def _gaps(found: Findings, division: int) -> list[Gap]:
    """Those of all parts together that may be long: a tempo can only make them shorter than they are taken to be."""
    least = Clock(division, found.tempos).least_ticks(LONGEST_PAUSE_MS)
    gaps: list[Gap] = [(0, END_TICK)]
    numbers = count(1)
    for part in found.parts:
        gaps = _common(gaps, _gaps_of(part, least, numbers), least)
    return gaps


def _gaps_of(part: Part, least: int, numbers: Iterator[int]) -> list[Gap]:
    """Those of one part; `numbers` counts the events of all."""
    gaps: list[Gap] = []
    before = 0
    for number, event in zip(numbers, part.events, strict=False):
        if not number % REST_EVERY:
            time.sleep(REST_S)
        tick = event >> 24
        if tick - before > least:
            gaps.append((before, tick))
        before = tick
    return [*gaps, (before, END_TICK)]


def _common(ours: Sequence[Gap], theirs: Sequence[Gap], least: int) -> list[Gap]:
    """Where both have a gap, in order."""
    common: list[Gap] = []
    one = other = 0
    while one < len(ours) and other < len(theirs):
        start, end = max(ours[one][0], theirs[other][0]), min(ours[one][1], theirs[other][1])
        if end - start > least:
            common.append((start, end))
        if ours[one][1] < theirs[other][1]:
            one += 1
        else:
            other += 1
    return common


def _cuts(gaps: Sequence[Gap], last: int, clock: Clock) -> list[_Cut]:
    """What to take out before the tick of the last key; what is behind it is no part of the piece."""
    cuts: list[_Cut] = []
    for start, end in gaps:
        since_ms = clock.ms(start)
        if end <= last and (length_ms := clock.ms(end) - since_ms) > LONGEST_PAUSE_MS:
            cuts.append(_Cut(start, end, max(1, round((end - start) * PAUSE_MS / length_ms))))
    return cuts


def _take_out(found: Findings, cuts: Sequence[_Cut]) -> None:
    starts = [cut.start for cut in cuts]
    gone = [0, *accumulate(cut.end - cut.start - cut.left for cut in cuts)]

    def moved(tick: int) -> int:
        place = bisect_right(starts, tick) - 1
        if place < 0:
            return tick
        start, end, left = cuts[place]
        return start - gone[place] + (tick - start) * left // (end - start) if tick < end else tick - gone[place + 1]

    numbers = count(1)

    def all_moved(events: "array[int]") -> "array[int]":
        made = array("Q")
        for number, event in zip(numbers, events, strict=False):
            if not number % REST_EVERY:
                time.sleep(REST_S)
            made.append(moved(event >> 24) << 24 | event & 0xFFFFFF)
        return made

    for part in found.parts:
        part.events = all_moved(part.events)
    found.tempos, found.signatures = all_moved(found.tempos), all_moved(found.signatures)
    found.last_tick = moved(found.last_tick)


def _end(found: Findings, division: int, ends_ms: int) -> None:
    """Leave out what is later than `ends_ms`."""
    last = Clock(division, found.tempos).tick(ends_ms)
    for part in found.parts:
        del part.events[bisect_right(part.events, last << 24 | 0xFFFFFF) :]
    found.parts = [part for part in found.parts if part.events]
    found.tempos, found.signatures = (
        array("Q", (each for each in events if each >> 24 <= last)) for events in (found.tempos, found.signatures)
    )
    found.last_tick = last
