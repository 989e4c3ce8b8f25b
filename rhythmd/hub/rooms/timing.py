"""What keeps a room in time: how long after their time its notes sound, and its metronome.

The delay is long enough that few notes come in too late, and the same for everybody.

Members report how late the music reaches them, at their 95th percentile; the room's delay covers that of 95 members in
100. It rises at once, because what comes in after its moment is heard out of time. It falls slowly, and only when
nobody has needed it for a while, because every change is heard. So a member who reports nonsense can raise the delay to
`LONGEST_MS` at most, cannot shake it, and among twenty or more has no effect alone; the owner can fix the delay.
"""

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Final, NamedTuple

from msgspec import UNSET

from rhythm_protocol.messages import Metronome, MetronomeState, MetronomeUpdate, Playout
from rhythmd.clock import server_ms
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.outbound import ControlMessage
from rhythmd.hub.sending.pacer import Pacer

__all__ = ["FIRST_MS", "MeasuredDelay", "PlayoutDelay", "RoomMetronome", "updated"]

MINUTE_US: Final = 60_000_000

FIRST_MS: Final = 50
SHORTEST_MS: Final = 10
LONGEST_MS: Final = 1_000
STEP_MS: Final = 10
PERCENTILE: Final = 95
REPORT_MS: Final = 30_000  # a report counts for so long
STAY_MS: Final = 60_000  # a delay that was needed stays for so long: each fall bends the rhythm once
FALL_PARTS: Final = 10  # a fall takes away one part of so many
INTERVAL_S: Final = 2.0  # between two changes, for a message to five thousand is five thousand messages


class _Report(NamedTuple):
    late_ms: int
    until_ms: int


class MeasuredDelay:
    """The delay that follows from what members report. Pure: every time comes in, in ms of the server's clock.

    Attributes:
        delay_ms: `FIRST_MS` until something was reported, then a multiple of `STEP_MS`.
    """

    __slots__ = ("_needed_until_ms", "_reports", "delay_ms")

    def __init__(self) -> None:
        self.delay_ms = FIRST_MS
        self._needed_until_ms = 0
        self._reports: dict[int, _Report] = {}  # by slot

    def report(self, slot: int, late_ms: int, now_ms: int) -> None:
        """Take in a member's report, in the place of their last one."""
        self._reports[slot] = _Report(late_ms, now_ms + REPORT_MS)

    def forget(self, slot: int) -> None:
        """The member of `slot` is gone, and their report with them."""
        self._reports.pop(slot, None)

    def update(self, now_ms: int) -> None:
        """Rise to what is needed now, or go one step down to it. Without any report all stays as it is."""
        self._reports = {slot: report for slot, report in self._reports.items() if report.until_ms > now_ms}
        if not self._reports:
            return
        needed_ms = self._needed_ms()
        if needed_ms >= self.delay_ms:
            self.delay_ms = needed_ms
            self._needed_until_ms = now_ms + STAY_MS
        elif now_ms >= self._needed_until_ms:
            fall_ms = max(STEP_MS, self.delay_ms // FALL_PARTS)
            self.delay_ms = max(needed_ms, _round_up(self.delay_ms - fall_ms))

    def _needed_ms(self) -> int:
        ranked = sorted(report.late_ms for report in self._reports.values())
        rank = -(-len(ranked) * PERCENTILE // 100)  # the nearest rank
        return min(LONGEST_MS, max(SHORTEST_MS, _round_up(ranked[rank - 1])))


def _round_up(ms: int) -> int:
    return -(-ms // STEP_MS) * STEP_MS


class PlayoutDelay:
    """The delay in force in one room, which hears of every change.

    Args:
        fixed_ms: what the owner set; None to measure.
        on_change: called after every change.

    Attributes:
        delay_ms: what is in force now.
    """

    __slots__ = ("_fanout", "_fixed_ms", "_has_news", "_measured", "_on_change", "_pacer", "_timer", "delay_ms")

    def __init__(self, fanout: Fanout, pacer: Pacer, fixed_ms: int | None, on_change: Callable[[], None]) -> None:
        self._fanout = fanout
        self._pacer = pacer
        self._fixed_ms = fixed_ms
        self._on_change = on_change
        self._measured = MeasuredDelay()
        self._has_news = False
        self._timer: asyncio.TimerHandle | None = None
        self.delay_ms = FIRST_MS if fixed_ms is None else fixed_ms

    def fix(self, fixed_ms: int | None) -> None:
        """Put the owner's delay in force; None goes back to what was measured, also meanwhile."""
        self._fixed_ms = fixed_ms
        self._settle()

    def report(self, slot: int, late_ms: int) -> None:
        """The music reaches the member of `slot` so late. Counts at once, or when `INTERVAL_S` is over."""
        self._measured.report(slot, late_ms, server_ms())
        self._has_news = True
        if self._timer is None:
            self._update()

    def forget(self, slot: int) -> None:
        """The member of `slot` is gone; what they reported counts no more."""
        self._measured.forget(slot)

    def _update(self) -> None:
        """Look at all reports; a big room has many, so not at each. Ends when nobody reports any more."""
        self._timer = None
        if self._has_news:
            self._has_news = False
            self._timer = self._pacer.later(INTERVAL_S, self._update)
            self._measured.update(server_ms())
            self._settle()

    def _settle(self) -> None:
        delay_ms = self._measured.delay_ms if self._fixed_ms is None else self._fixed_ms
        if delay_ms != self.delay_ms:
            self.delay_ms = delay_ms
            self._fanout.broadcast(ControlMessage("playout", Playout(delay_ms)))
            self._on_change()


def updated(current: Metronome | None, update: MetronomeUpdate, earliest_us: int) -> Metronome | None:
    """The metronome after `update`; None when it stands still.

    A start falls on `earliest_us`. One that runs already starts anew, with another tempo or metre, on its own first
    beat that is not before `earliest_us`: that beat is the new beat 0, so no beat is cut short. An update that changes
    nothing leaves it running as it is.

    Args:
        earliest_us: microseconds of the server's clock; far enough ahead that everybody hears of the start in time.
    """
    if not update.running:
        return None
    base = current or Metronome(bpm=120.0, beats=4, unit=4, start_us=earliest_us)
    bpm = base.bpm if update.bpm is UNSET else update.bpm
    beats = base.beats if update.beats is UNSET else update.beats
    unit = base.unit if update.unit is UNSET else update.unit
    if current is None or (bpm, beats, unit) == (current.bpm, current.beats, current.unit):
        return Metronome(bpm, beats, unit, base.start_us)
    return Metronome(bpm, beats, unit, _beat_from(current, earliest_us))


def _beat_from(metronome: Metronome, earliest_us: int) -> int:
    """When the first beat falls that is not before `earliest_us`."""
    beat_us = MINUTE_US / metronome.bpm
    number = max(0, ceil((earliest_us - metronome.start_us) / beat_us))
    return metronome.start_us + round(number * beat_us)


class RoomMetronome:
    """The metronome of one room, which hears of every change.

    Args:
        keep_time: called with each new state; recordings have tempo and metre.
        on_change: called after every change.

    Attributes:
        state: how it runs; None while it stands still.
    """

    __slots__ = ("_fanout", "_keep_time", "_on_change", "state")

    def __init__(
        self, fanout: Fanout, keep_time: Callable[[Metronome | None], None], on_change: Callable[[], None]
    ) -> None:
        self._fanout = fanout
        self._keep_time = keep_time
        self._on_change = on_change
        self.state: Metronome | None = None

    def change(self, update: MetronomeUpdate, earliest_us: int) -> None:
        """Start it, change it or stop it, as `updated` says."""
        state = updated(self.state, update, earliest_us)
        if state != self.state:
            self.restore(state)
            self._fanout.broadcast(ControlMessage("metronome", MetronomeState(state)))
            self._on_change()

    def restore(self, state: Metronome | None) -> None:
        """Let it run like this, which everybody knows already or is told."""
        self.state = state
        self._keep_time(state)
