"""A room's metronome: one tempo and one start on the server's clock, so that everybody counts the same beats."""

from collections.abc import Callable
from math import ceil
from typing import Final

from msgspec import UNSET

from rhythm_protocol.messages import Metronome, MetronomeState, MetronomeUpdate
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.outbound import Packet

__all__ = ["RoomMetronome", "updated"]

MINUTE_US: Final = 60_000_000


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
        on_change: called after every change.

    Attributes:
        state: how it runs; None while it stands still.
    """

    __slots__ = ("_fanout", "_on_change", "state")

    def __init__(self, fanout: Fanout, on_change: Callable[[], None]) -> None:
        self._fanout = fanout
        self._on_change = on_change
        self.state: Metronome | None = None

    def change(self, update: MetronomeUpdate, earliest_us: int) -> None:
        """Start it, change it or stop it, as `updated` says."""
        state = updated(self.state, update, earliest_us)
        if state != self.state:
            self.state = state
            self._fanout.broadcast(Packet("metronome", MetronomeState(state)))
            self._on_change()
