"""A piece with no more in one moment, or one second, than anybody could hear: a file may have a million events there.

What is left out is left out once, when the piece is read; so nobody has to look at it again each time it is played.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_ON, POLY_PRESSURE
from rhythmd.midi.clock import Timed

__all__ = ["MOST_AT_ONCE", "MOST_PER_S", "thinned"]

MOST_AT_ONCE: Final = 1_000  # events of one millisecond
MOST_PER_S: Final = 4_000
"""Of one second of the piece: what goes out in four seconds by default, in which it lasts at the slowest speed."""
SECOND_MS: Final = 1_000
KEY: Final = 0x0F7F  # channel and key of status and first data byte


def thinned(events: Iterable[Timed]) -> Iterator[Timed]:
    """The same events in order; of what is too much only what lets go of a key, and the last value of each setting.

    Keys that are left out are so from press to release, and pressures on single keys are left out first. A moment has
    at most `MOST_AT_ONCE` events, a release for each key that is down, and a value for each setting.
    """
    thinner = _Thinner()
    for event in events:
        if event.ms != thinner.ms:
            yield from thinner.go_on(event.ms)
        if thinner.keeps(event):
            yield event
    yield from thinner.left_settings()


class _Thinner:
    """Counts what is kept. `ms` is the moment that it is at."""

    def __init__(self) -> None:
        self.ms = self._second = self._at_once = self._in_second = 0
        self._down: set[int] = set()
        self._settings: dict[int, Timed] = {}  # that were left out since, by what they are of; the newest is the last

    def go_on(self, ms: int) -> list[Timed]:
        """Be at a later moment; what is still due at the last one."""
        second = ms // SECOND_MS
        settings = []
        if self._settings and (second != self._second or self._in_second < MOST_PER_S):
            settings = self.left_settings()
        self._in_second = self._in_second + len(settings) if second == self._second else 0
        self.ms, self._second, self._at_once = ms, second, 0
        return settings

    def left_settings(self) -> list[Timed]:
        """The last value of each setting that was left out, due at this moment."""
        settings = [event._replace(ms=self.ms) for event in self._settings.values()]
        self._settings.clear()
        return settings

    def keeps(self, event: Timed) -> bool:
        is_spare = self._at_once >= MOST_AT_ONCE or self._in_second >= MOST_PER_S
        kind = event.message >> 16 & 0xF0
        is_kept = self._keeps_key(event, is_spare) if kind <= POLY_PRESSURE else self._keeps_setting(event, is_spare)
        self._at_once += is_kept
        self._in_second += is_kept
        return is_kept

    def _keeps_key(self, event: Timed, is_spare: bool) -> bool:
        key, value = event.message >> 8 & KEY, event.message & 0xFF
        kind = event.message >> 16 & 0xF0
        if kind == POLY_PRESSURE:
            return not is_spare
        if kind == NOTE_ON and value:
            if not is_spare:
                self._down.add(key)
            return not is_spare
        was_down = key in self._down
        self._down.discard(key)
        return was_down or not is_spare

    def _keeps_setting(self, event: Timed, is_spare: bool) -> bool:
        status = event.message >> 16
        subject = event.message >> 8 if status & 0xF0 == CONTROL_CHANGE else status
        self._settings.pop(subject, None)
        if is_spare:
            self._settings[subject] = event
        return not is_spare
